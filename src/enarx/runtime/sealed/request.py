# SPDX-License-Identifier: Apache-2.0
"""What a guest's process may ask of its sealed volume: a closed list. No key is ever in it."""

from __future__ import annotations

from struct import Struct

from enarx.runtime.wasi.descriptor import Stat

STAT, FIND, LIST, TARGET = b"stat", b"find", b"list", b"target"
OPEN, CLOSE, READ, WRITE, SIZE, TIMES, SYNC = b"open", b"close", b"read", b"write", b"size", b"times", b"sync"
MKDIR, RMDIR, UNLINK = b"mkdir", b"rmdir", b"unlink"
SYMLINK, LINK, RENAME = b"symlink", b"link", b"rename"
TOP = 1
"""The inode of `/sealed`."""
CREATE, TRUNCATE = 1, 2
MOST_BYTES = 1 << 20
"""Of one read or write; more is served as a short one."""
AT_END = -1
NO_TIME = -1
NUMBER = Struct("<q")
STATED = Struct("<8q")
ENTRY = Struct("<qq")


def number(value: int) -> bytes:
    """A number as a field."""
    return NUMBER.pack(value)


def stated(stat: Stat) -> bytes:
    """A `filestat` as a field."""
    return STATED.pack(*stat)


def read_stat(field: bytes) -> Stat:
    """The `filestat` in a field."""
    return Stat(*STATED.unpack(field))
