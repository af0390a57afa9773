# SPDX-License-Identifier: Apache-2.0
"""`--dir`: a real folder, for development on the `process` backend, with no way out of it.

Every operation is one name relative to an open folder with O_NOFOLLOW, and the walk keeps its own
stack for `..`; so there is no moment at which the kernel resolves a path that the guest wrote, and
nothing to win by exchanging a folder for a link meanwhile.
"""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

import fcntl
import os
import stat as mode

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Directory, Opened
from enarx.runtime.wasi.errno import INVAL, LOOP, NOTCAPABLE, NOTDIR, XDEV, WasiError, from_host

ENTER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DEVICE = 2
FILETYPES = {
    mode.S_IFREG: rights.REGULAR_FILE,
    mode.S_IFDIR: rights.IS_DIRECTORY,
    mode.S_IFLNK: rights.SYMBOLIC_LINK,
    mode.S_IFCHR: rights.CHARACTER_DEVICE,
    mode.S_IFBLK: rights.BLOCK_DEVICE,
    mode.S_IFSOCK: rights.SOCKET_STREAM,
}
HOST_FLAGS = (
    (rights.APPEND, os.O_APPEND),
    (rights.DSYNC, os.O_DSYNC),
    (rights.RSYNC, os.O_RSYNC),
    (rights.SYNC, os.O_SYNC),
)


def _stat(found: os.stat_result) -> Stat:
    return Stat(
        DEVICE,
        found.st_ino,
        FILETYPES.get(mode.S_IFMT(found.st_mode), rights.UNKNOWN),
        found.st_nlink,
        found.st_size,
        found.st_atime_ns,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def _times(found: os.stat_result, accessed: int | None, modified: int | None) -> tuple[int, int]:
    return (
        found.st_atime_ns if accessed is None else accessed,
        found.st_mtime_ns if modified is None else modified,
    )


class HostFolder(Directory):
    """A folder of this machine, known by a descriptor."""

    def __init__(self, host: int) -> None:
        self.host = host

    def stat(self) -> Stat:
        return _stat(os.fstat(self.host))

    def find(self, name: str) -> Stat:
        try:
            return _stat(os.stat(name, dir_fd=self.host, follow_symlinks=False))
        except OSError as error:
            raise WasiError(from_host(error)) from None

    def enter(self, name: str) -> Directory:
        try:
            return HostFolder(os.open(name, ENTER, dir_fd=self.host))
        except OSError as error:
            number = from_host(error)
            raise WasiError(NOTDIR if number == LOOP else number) from None

    def again(self) -> Directory:
        return HostFolder(os.dup(self.host))

    def link_target(self, name: str) -> str:
        try:
            return os.readlink(name, dir_fd=self.host)
        except OSError as error:
            raise WasiError(from_host(error)) from None

    def open(self, name: str, how: Opened) -> Descriptor:
        if not how.create and self.find(name).filetype != rights.REGULAR_FILE:
            # A device, a pipe or a socket of the host: opening alone may have effects.
            raise WasiError(NOTCAPABLE)
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        flags |= _access(how)
        flags |= os.O_CREAT | os.O_EXCL if how.create else 0
        flags |= os.O_TRUNC if how.truncate else 0
        for flag, host in HOST_FLAGS:
            flags |= host if how.flags & flag else 0
        opened = os.open(name, flags, 0o666, dir_fd=self.host)
        if not mode.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise WasiError(NOTCAPABLE)
        return HostFile(opened, how.granted, how.flags)

    def make_folder(self, name: str) -> None:
        os.mkdir(name, dir_fd=self.host)

    def remove_folder(self, name: str) -> None:
        os.rmdir(name, dir_fd=self.host)

    def unlink(self, name: str) -> None:
        os.unlink(name, dir_fd=self.host)

    def symlink(self, name: str, target: str) -> None:
        os.symlink(target, name, dir_fd=self.host)

    def link(self, name: str, into: Directory, new: str) -> None:
        if not isinstance(into, HostFolder):
            raise WasiError(XDEV)
        os.link(name, new, src_dir_fd=self.host, dst_dir_fd=into.host, follow_symlinks=False)

    def rename(self, name: str, into: Directory, new: str) -> None:
        if not isinstance(into, HostFolder):
            raise WasiError(XDEV)
        os.rename(name, new, src_dir_fd=self.host, dst_dir_fd=into.host)

    def set_times(self, name: str, accessed: int | None, modified: int | None) -> None:
        found = os.stat(name, dir_fd=self.host, follow_symlinks=False)
        moments = _times(found, accessed, modified)
        os.utime(name, ns=moments, dir_fd=self.host, follow_symlinks=False)

    def entries(self) -> list[tuple[str, int, int]]:
        readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.host)
        try:
            with os.scandir(readable) as found:
                return [(entry.name, entry.inode(), _kind(entry)) for entry in found]
        finally:
            os.close(readable)

    def close(self) -> None:
        os.close(self.host)


def _access(how: Opened) -> int:
    if not how.writes:
        return os.O_RDONLY
    return os.O_RDWR if how.granted & rights.FD_READ else os.O_WRONLY


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return rights.SYMBOLIC_LINK
    if entry.is_dir(follow_symlinks=False):
        return rights.IS_DIRECTORY
    return rights.REGULAR_FILE if entry.is_file(follow_symlinks=False) else rights.UNKNOWN


class HostFile(Descriptor):
    """An open regular file of this machine."""

    filetype = rights.REGULAR_FILE

    def __init__(self, host: int, granted: int, flags: int) -> None:
        super().__init__(granted, flags=flags)
        self._host = host

    def read(self, buffers: list[memoryview]) -> int:
        return os.readv(self._host, buffers)

    def write(self, buffers: list[memoryview]) -> int:
        return os.writev(self._host, buffers)

    def read_at(self, buffers: list[memoryview], offset: int) -> int:
        return os.preadv(self._host, buffers, _offset(offset))

    def write_at(self, buffers: list[memoryview], offset: int) -> int:
        return os.pwritev(self._host, buffers, _offset(offset))

    def seek(self, offset: int, whence: int) -> int:
        if whence > os.SEEK_END:
            raise WasiError(INVAL)
        return os.lseek(self._host, offset, whence)

    def stat(self) -> Stat:
        return _stat(os.fstat(self._host))

    def set_size(self, size: int) -> None:
        os.ftruncate(self._host, _offset(size))

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        os.utime(self._host, ns=_times(os.fstat(self._host), accessed, modified))

    def allocate(self, offset: int, length: int) -> None:
        os.posix_fallocate(self._host, _offset(offset), _offset(length))

    def advise(self) -> None:
        """Taken note of by nobody."""

    def sync(self) -> None:
        os.fsync(self._host)

    def set_flags(self, flags: int) -> None:
        if (flags ^ self.flags) & (rights.DSYNC | rights.RSYNC | rights.SYNC):
            # fcntl(2): F_SETFL cannot change the synchronisation of an open file.
            raise WasiError(INVAL)
        fcntl.fcntl(self._host, fcntl.F_SETFL, os.O_APPEND if flags & rights.APPEND else 0)
        self.flags = flags

    def ready_bytes(self) -> int:
        return max(0, os.fstat(self._host).st_size - os.lseek(self._host, 0, os.SEEK_CUR))

    def close(self) -> None:
        os.close(self._host)


def _offset(value: int) -> int:
    """An offset as `off_t`."""
    if value >> 63:
        raise WasiError(INVAL)
    return value
