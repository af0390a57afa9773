# SPDX-License-Identifier: Apache-2.0
"""What the agent and the guest's process say to each other: a closed list, nothing evaluated.

A message is its kind (u8), the length of the rest (u32), and a list of byte strings, each behind its
own length (u32); all little-endian. Neither side trusts the other's lengths.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

HEADER = Struct("<BI")
LENGTH = Struct("<I")
MAX_BYTES = 64 << 20
MAX_FIELDS = 1 << 20

# agent to guest
START = 1
GRANTED = 2
REFUSED = 3

# guest to agent
COMPILED = 16
RUNNING = 17
EXITED = 18
TRAPPED = 19
REJECTED = 20
EXHAUSTED = 21
FAULTED = 22
STALE = 23
UNLOCKED = 24
CONNECT = 32
LISTEN = 33
ATTEST = 34
SEALED = 35
KEY = 36

SEALED_MARK = "/attest/sealed"
"""A file that the agent provides where there is a sealed volume; it says how well that is protected."""


class WireError(Exception):
    """The other side sent what no message looks like."""


def join(fields: Iterable[bytes]) -> bytes:
    """A list of byte strings as one."""
    return b"".join(part for field in fields for part in (LENGTH.pack(len(field)), field))


def split(raw: bytes | bytearray) -> list[bytes]:
    """The list that `join` was given; WireError on anything else."""
    fields: list[bytes] = []
    view = memoryview(raw)
    at = 0
    while at < len(view):
        if at + LENGTH.size > len(view) or len(fields) >= MAX_FIELDS:
            raise WireError
        (length,) = LENGTH.unpack_from(view, at)
        at += LENGTH.size
        if length > len(view) - at:
            raise WireError
        fields.append(bytes(view[at : at + length]))
        at += length
    return fields


def message(kind: int, *fields: bytes) -> bytes:
    """A whole message."""
    body = join(fields)
    return HEADER.pack(kind, len(body)) + body
