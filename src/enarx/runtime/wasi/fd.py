# SPDX-License-Identifier: Apache-2.0
"""The `fd_*` and `sock_*` functions: check every pointer, then ask the descriptor."""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

import time
from struct import Struct

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Stat, Table
from enarx.runtime.wasi.directory import OpenDirectory
from enarx.runtime.wasi.errno import BADF, INVAL, MFILE, NAMETOOLONG, NOTSUP, WasiError
from enarx.runtime.wasi.memory import GuestMemory

FDSTAT = Struct("<BxHxxxxQQ")
FILESTAT = Struct("<QQBxxxxxxxQQQQQ")
DIRENT = Struct("<QQIBxxx")
ALL_FLAGS = rights.APPEND | rights.DSYNC | rights.NONBLOCK | rights.RSYNC | rights.SYNC
ATIM, ATIM_NOW, MTIM, MTIM_NOW = 1, 2, 4, 8
ADVICE_KINDS = 6
NO_FOLDER = b"\1" + bytes(7)
"""A `prestat` whose tag is not `dir`: C libraries look for folders from descriptor 3 until one is not
open, so a socket of the manifest in between has to be skipped, not to end the search."""


def signed(value: int) -> int:
    """A 64-bit word read as two's complement."""
    return value - (1 << 64) if value >> 63 else value


def filestat(stat: Stat) -> bytes:
    """`filestat` as 64 bytes."""
    return FILESTAT.pack(*stat)


def times(accessed: int, modified: int, flags: int) -> tuple[int | None, int | None]:
    """What `fstflags` ask for, in nanoseconds; None leaves a time alone."""
    if flags & ~15 or flags & 3 == 3 or flags & 12 == 12:
        raise WasiError(INVAL)
    now = time.time_ns()
    return (
        now if flags & ATIM_NOW else accessed if flags & ATIM else None,
        now if flags & MTIM_NOW else modified if flags & MTIM else None,
    )


class Descriptors:
    """Functions that take an open descriptor."""

    def __init__(self, memory: GuestMemory, table: Table) -> None:
        self._memory = memory
        self._table = table

    def fd_read(self, fd: int, vectors: int, count: int, result: int) -> int:
        memory = self._memory
        descriptor = self._table.get(fd)
        memory.at(result, 4)
        if not descriptor.rights & rights.FD_READ:
            raise WasiError(BADF)
        memory.put_word(result, descriptor.read(memory.vectors(vectors, count)))
        return 0

    def fd_write(self, fd: int, vectors: int, count: int, result: int) -> int:
        memory = self._memory
        descriptor = self._table.get(fd)
        memory.at(result, 4)
        if not descriptor.rights & rights.FD_WRITE:
            raise WasiError(BADF)
        memory.put_word(result, descriptor.write(memory.vectors(vectors, count)))
        return 0

    def fd_pread(self, fd: int, vectors: int, count: int, offset: int, result: int) -> int:
        descriptor = self._table.get(fd)
        self._memory.at(result, 4)
        if not descriptor.rights & rights.FD_READ:
            raise WasiError(BADF)
        buffers = self._memory.vectors(vectors, count)
        self._memory.put_word(result, descriptor.read_at(buffers, offset))
        return 0

    def fd_pwrite(self, fd: int, vectors: int, count: int, offset: int, result: int) -> int:
        descriptor = self._table.get(fd)
        self._memory.at(result, 4)
        if not descriptor.rights & rights.FD_WRITE:
            raise WasiError(BADF)
        buffers = self._memory.vectors(vectors, count)
        self._memory.put_word(result, descriptor.write_at(buffers, offset))
        return 0

    def fd_seek(self, fd: int, offset: int, whence: int, result: int) -> int:
        descriptor = self._table.get(fd)
        self._memory.at(result, 8)
        self._memory.put_long(result, descriptor.seek(signed(offset), whence))
        return 0

    def fd_tell(self, fd: int, result: int) -> int:
        descriptor = self._table.get(fd)
        self._memory.at(result, 8)
        self._memory.put_long(result, descriptor.seek(0, 1))
        return 0

    def fd_close(self, fd: int) -> int:
        self._table.close(fd)
        return 0

    def fd_renumber(self, fd: int, target: int) -> int:
        self._table.renumber(fd, target)
        return 0

    def fd_advise(self, fd: int, offset: int, length: int, advice: int) -> int:
        descriptor = self._table.get(fd)
        if advice >= ADVICE_KINDS or signed(offset) < 0 or signed(length) < 0:
            raise WasiError(INVAL)
        descriptor.advise()
        return 0

    def fd_allocate(self, fd: int, offset: int, length: int) -> int:
        self._table.get(fd, rights.FD_ALLOCATE).allocate(offset, length)
        return 0

    def fd_datasync(self, fd: int) -> int:
        self._table.get(fd).sync()
        return 0

    fd_sync = fd_datasync

    def fd_fdstat_get(self, fd: int, result: int) -> int:
        d = self._table.get(fd)
        self._memory.put(result, FDSTAT.pack(d.filetype, d.flags, d.rights, d.inheriting))
        return 0

    def fd_fdstat_set_flags(self, fd: int, flags: int) -> int:
        descriptor = self._table.get(fd)
        if flags & ~ALL_FLAGS:
            raise WasiError(INVAL)
        descriptor.set_flags(flags)
        return 0

    def fd_fdstat_set_rights(self, fd: int, granted: int, inheriting: int) -> int:
        """Rights can only be given up."""
        descriptor = self._table.get(fd, granted)
        if inheriting & ~descriptor.inheriting:
            raise WasiError(NOTSUP)
        descriptor.rights, descriptor.inheriting = granted, inheriting
        self._table.index(fd)
        return 0

    def fd_filestat_get(self, fd: int, result: int) -> int:
        descriptor = self._table.get(fd)
        self._memory.put(result, filestat(descriptor.stat()))
        return 0

    def fd_filestat_set_size(self, fd: int, size: int) -> int:
        descriptor = self._table.get(fd)
        needed = 0 if isinstance(descriptor, OpenDirectory) else rights.FD_FILESTAT_SET_SIZE
        self._table.get(fd, needed).set_size(size)
        return 0

    def fd_filestat_set_times(self, fd: int, accessed: int, modified: int, flags: int) -> int:
        descriptor = self._table.get(fd, rights.FD_FILESTAT_SET_TIMES)
        descriptor.set_times(*times(accessed, modified, flags))
        return 0

    def fd_prestat_get(self, fd: int, result: int) -> int:
        self._memory.at(result, 8)
        if self._table.skips(fd):
            self._memory.put(result, NO_FOLDER)
            return 0
        self._memory.put_word(result, 0)
        self._memory.put_word(result + 4, len(self._preopen(fd)))
        return 0

    def fd_prestat_dir_name(self, fd: int, buffer: int, length: int) -> int:
        name = self._preopen(fd)
        if length < len(name):
            raise WasiError(NAMETOOLONG)
        self._memory.put(buffer, name)
        return 0

    def _preopen(self, fd: int) -> bytes:
        name = self._table.get(fd).preopen
        if not name:
            raise WasiError(BADF)
        return name.encode()

    def fd_readdir(self, fd: int, buffer: int, length: int, cookie: int, result: int) -> int:
        descriptor = self._table.get(fd)
        if not isinstance(descriptor, OpenDirectory):
            raise WasiError(BADF)
        self._table.get(fd, rights.FD_READDIR)
        target = self._memory.span(buffer, length)
        self._memory.at(result, 4)
        used = 0
        for following, (name, inode, filetype) in enumerate(descriptor.listing(cookie), start=cookie + 1):
            spelled = name.encode("utf-8", "surrogateescape")
            entry = DIRENT.pack(following, inode, len(spelled), filetype) + spelled
            room = min(len(entry), length - used)
            target[used : used + room] = entry[:room]
            used += room
            if used == length:
                break
        self._memory.put_word(result, used)
        return 0


class Sockets:
    """Functions that take a connection or a listener.

    most  how many connections may be open at once
    """

    def __init__(self, memory: GuestMemory, table: Table, most: int) -> None:
        self._memory = memory
        self._table = table
        self.most = most

    def sock_accept(self, fd: int, flags: int, result: int) -> int:
        listener = self._table.get(fd)
        self._memory.at(result, 4)
        if flags & ~rights.NONBLOCK:
            raise WasiError(INVAL)
        opened = self._table.open.values()
        if sum(d.rights & rights.SOCK_SHUTDOWN != 0 for d in opened) >= self.most:
            raise WasiError(MFILE)
        self._memory.put_word(result, self._table.add(listener.accept(flags)))
        return 0

    def sock_recv(self, fd: int, vectors: int, count: int, flags: int, result: int, out_flags: int) -> int:
        memory = self._memory
        connection = self._table.get(fd)
        memory.at(result, 4)
        memory.at(out_flags, 4)
        received, answered = connection.receive(memory.vectors(vectors, count), flags)
        memory.put_word(result, received)
        memory.put(out_flags, answered.to_bytes(2, "little"))
        return 0

    def sock_send(self, fd: int, vectors: int, count: int, flags: int, result: int) -> int:
        memory = self._memory
        connection = self._table.get(fd, rights.SOCK_SHUTDOWN)
        memory.at(result, 4)
        if flags:
            raise WasiError(NOTSUP)
        memory.put_word(result, connection.write(memory.vectors(vectors, count)))
        return 0

    def sock_shutdown(self, fd: int, how: int) -> int:
        self._table.get(fd).shutdown(how)
        return 0
