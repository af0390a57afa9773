# SPDX-License-Identifier: Apache-2.0
"""The error numbers of WASI preview 1, and how the host's become them.

Source: wasi_snapshot_preview1, type `errno`.
"""

from __future__ import annotations

import errno as host

SUCCESS = 0
TOOBIG = 1
ACCES = 2
AGAIN = 6
BADF = 8
BUSY = 10
CONNABORTED = 13
CONNRESET = 15
DQUOT = 19
EXIST = 20
FAULT = 21
FBIG = 22
ILSEQ = 25
INTR = 27
INVAL = 28
IO = 29
ISDIR = 31
LOOP = 32
MFILE = 33
MLINK = 34
MSGSIZE = 35
NAMETOOLONG = 37
NFILE = 41
NODEV = 43
NOENT = 44
NOLCK = 46
NOMEM = 48
NOSPC = 51
NOSYS = 52
NOTCONN = 53
NOTDIR = 54
NOTEMPTY = 55
NOTSOCK = 57
NOTSUP = 58
NOTTY = 59
NXIO = 60
OVERFLOW = 61
PERM = 63
PIPE = 64
RANGE = 68
ROFS = 69
SPIPE = 70
TIMEDOUT = 73
XDEV = 75
NOTCAPABLE = 76

NAMES = (
    *("TOOBIG:E2BIG", "ACCES", "ADDRINUSE", "ADDRNOTAVAIL", "AFNOSUPPORT", "AGAIN", "ALREADY"),
    *("BADF", "BADMSG", "BUSY", "CANCELED:ECANCELED", "CHILD", "CONNABORTED", "CONNREFUSED"),
    *("CONNRESET", "DEADLK", "DESTADDRREQ", "DOM", "DQUOT", "EXIST", "FAULT", "FBIG"),
    *("HOSTUNREACH", "IDRM", "ILSEQ", "INPROGRESS", "INTR", "INVAL", "IO", "ISCONN", "ISDIR"),
    *("LOOP", "MFILE", "MLINK", "MSGSIZE", "MULTIHOP", "NAMETOOLONG", "NETDOWN", "NETRESET"),
    *("NETUNREACH", "NFILE", "NOBUFS", "NODEV", "NOENT", "NOEXEC", "NOLCK", "NOLINK", "NOMEM"),
    *("NOMSG", "NOPROTOOPT", "NOSPC", "NOSYS", "NOTCONN", "NOTDIR", "NOTEMPTY", "NOTRECOVERABLE"),
    *("NOTSOCK", "NOTSUP", "NOTTY", "NXIO", "OVERFLOW", "OWNERDEAD", "PERM", "PIPE", "PROTO"),
    *("PROTONOSUPPORT", "PROTOTYPE", "RANGE", "ROFS", "SPIPE", "SRCH", "STALE", "TIMEDOUT"),
    *("TXTBSY", "XDEV"),
)
"""In the order of the specification, from 1; `WASI:HOST` where the two spell it differently."""


def _host_numbers() -> dict[int, int]:
    numbers: dict[int, int] = {}
    for number, name in enumerate(NAMES, start=1):
        _, _, spelled = name.partition(":")
        value = getattr(host, spelled or f"E{name}", None)
        if value is not None:
            numbers[value] = number
    return numbers


FROM_HOST = _host_numbers()


def from_host(error: OSError) -> int:
    """The WASI number of an error of the host's kernel."""
    return FROM_HOST.get(error.errno or 0, IO)


class WasiError(Exception):
    """A host function's answer other than success."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
