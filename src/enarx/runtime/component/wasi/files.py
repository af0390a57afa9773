# SPDX-License-Identifier: Apache-2.0
"""The types of `wasi:filesystem`, and what stands behind its handles."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from enarx.runtime.component.streams import Shared
from enarx.runtime.component.types import STRING, U64, Borrow, Case, Enum, Flags, Option, Record, Result, Type, Variant
from enarx.runtime.component.wasi.clocks import DATETIME, SECOND
from enarx.runtime.wasi import errno, naming, rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Directory
from enarx.runtime.wasi.errno import WasiError

ERRORS = {
    errno.ACCES: "access",
    errno.AGAIN: "would-block",
    errno.BADF: "bad-descriptor",
    errno.BUSY: "busy",
    errno.DQUOT: "quota",
    errno.EXIST: "exist",
    errno.FBIG: "file-too-large",
    errno.ILSEQ: "illegal-byte-sequence",
    errno.INTR: "interrupted",
    errno.INVAL: "invalid",
    errno.ISDIR: "is-directory",
    errno.LOOP: "loop",
    errno.MFILE: "quota",
    errno.MLINK: "too-many-links",
    errno.MSGSIZE: "message-size",
    errno.NAMETOOLONG: "name-too-long",
    errno.NODEV: "no-device",
    errno.NOENT: "no-entry",
    errno.NOLCK: "no-lock",
    errno.NOMEM: "insufficient-memory",
    errno.NOSPC: "insufficient-space",
    errno.NOTCAPABLE: "not-permitted",
    errno.NOTDIR: "not-directory",
    errno.NOTEMPTY: "not-empty",
    errno.NOTSUP: "unsupported",
    errno.NOSYS: "unsupported",
    errno.NOTTY: "no-tty",
    errno.NXIO: "no-such-device",
    errno.OVERFLOW: "overflow",
    errno.PERM: "not-permitted",
    errno.PIPE: "pipe",
    errno.ROFS: "read-only",
    errno.SPIPE: "invalid-seek",
    errno.XDEV: "cross-device",
}
"""Errnos that have a name of their own here; every other is `io`."""

ERROR_CODE = Enum(
    *("access", "would-block", "already", "bad-descriptor", "busy", "deadlock", "quota", "exist"),
    *("file-too-large", "illegal-byte-sequence", "in-progress", "interrupted", "invalid", "io"),
    *("is-directory", "loop", "too-many-links", "message-size", "name-too-long", "no-device", "no-entry"),
    *("no-lock", "insufficient-memory", "insufficient-space", "not-directory", "not-empty"),
    *("not-recoverable", "unsupported", "no-tty", "no-such-device", "overflow", "not-permitted", "pipe"),
    *("read-only", "invalid-seek", "text-file-busy", "cross-device"),
)
KINDS = (
    *("unknown", "block-device", "character-device", "directory"),
    *("fifo", "symbolic-link", "regular-file", "socket"),
)
KIND_OF = {
    rights.UNKNOWN: "unknown",
    rights.BLOCK_DEVICE: "block-device",
    rights.CHARACTER_DEVICE: "character-device",
    rights.IS_DIRECTORY: "directory",
    rights.REGULAR_FILE: "regular-file",
    rights.SOCKET_STREAM: "socket",
    rights.SYMBOLIC_LINK: "symbolic-link",
}
KIND = Enum(*KINDS)
DESCRIPTOR_FLAGS = Flags(
    *("read", "write", "file-integrity-sync", "data-integrity-sync", "requested-write-sync", "mutate-directory")
)
PATH_FLAGS = Flags("symlink-follow")
OPEN_FLAGS = Flags("create", "directory", "exclusive", "truncate")
ADVICE = Enum("normal", "sequential", "random", "will-need", "dont-need", "no-reuse")
STAT = Record(
    type=KIND,
    link_count=U64,
    size=U64,
    data_access_timestamp=Option(DATETIME),
    data_modification_timestamp=Option(DATETIME),
    status_change_timestamp=Option(DATETIME),
)
NEW_TIMESTAMP = Variant({"no-change": None, "now": None, "timestamp": DATETIME})
ENTRY = Record(type=KIND, name=STRING)
HASH = Record(lower=U64, upper=U64)
SELF = Borrow("descriptor")
HOW = {"create": naming.CREAT, "directory": naming.DIRECTORY, "exclusive": naming.EXCL, "truncate": naming.TRUNC}
SYNC_FLAGS = {
    "file-integrity-sync": rights.SYNC,
    "data-integrity-sync": rights.DSYNC,
    "requested-write-sync": rights.RSYNC,
}
WRITING = rights.FD_WRITE | rights.FD_ALLOCATE | rights.FD_FILESTAT_SET_SIZE
MUTATING = (
    rights.PATH_CREATE_DIRECTORY
    | rights.PATH_CREATE_FILE
    | rights.PATH_LINK_SOURCE
    | rights.PATH_LINK_TARGET
    | rights.PATH_RENAME_SOURCE
    | rights.PATH_RENAME_TARGET
    | rights.PATH_FILESTAT_SET_SIZE
    | rights.PATH_FILESTAT_SET_TIMES
    | rights.PATH_SYMLINK
    | rights.PATH_REMOVE_DIRECTORY
    | rights.PATH_UNLINK_FILE
)
ALWAYS = rights.ALL & ~(rights.FD_READ | WRITING | MUTATING)


def fallible(good: Type | None = None) -> Result:
    """`result<T, error-code>`."""
    return Result(good, ERROR_CODE)


class Handle:
    """`descriptor`: an open file or folder."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    @property
    def open(self) -> Descriptor:
        """The file or folder itself."""
        return self.shared.descriptor

    def having(self, needed: int) -> Descriptor:
        """The same, if it has these rights."""
        if needed & ~self.open.rights:
            raise WasiError(errno.NOTCAPABLE if self.open.filetype == rights.IS_DIRECTORY else errno.BADF)
        return self.open

    def folder(self, needed: int) -> Directory:
        """The folder that this is."""
        return naming.folder_of(self.open, needed).folder

    def seekable(self) -> bool:
        """Whether offsets mean anything."""
        return bool(self.open.rights & rights.FD_SEEK)

    def drop(self) -> None:
        """The guest has dropped its handle."""
        self.shared.release()


class Entries:
    """`directory-entry-stream`: a folder's names at the time of asking."""

    def __init__(self, entries: list[tuple[str, int, int]]) -> None:
        self.left: Iterator[tuple[str, int, int]] = iter(entries)

    def drop(self) -> None:
        """Nothing is held."""


def moment(asked: Case) -> int | None:
    """What `new-timestamp` asks for, in nanoseconds; None leaves a time alone."""
    match asked.name:
        case "now":
            return time.time_ns()
        case "timestamp":
            seconds, nanoseconds = asked.payload
            if nanoseconds >= SECOND or seconds > (1 << 63) // SECOND - 1:
                raise WasiError(errno.INVAL)
            whole: int = seconds * SECOND + nanoseconds
            return whole
        case _:
            return None


def described(found: Stat) -> tuple[Any, ...]:
    """`descriptor-stat`."""
    times = (divmod(one, SECOND) for one in (found.accessed, found.modified, found.changed))
    return (KIND_OF.get(found.filetype, "unknown"), found.links, found.size, *times)


def valid(name: str) -> str:
    """A name of a real folder, which need not be Unicode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise WasiError(errno.ILSEQ) from None
    return name
