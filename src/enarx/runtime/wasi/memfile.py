# SPDX-License-Identifier: Apache-2.0
"""Regular files in memory: written by the guest, or carried read-only in the package."""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Opened
from enarx.runtime.wasi.errno import FBIG, INVAL, ROFS, WasiError
from enarx.runtime.wasi.volume import Leaf, Quota

MAX_OFFSET = (1 << 63) - 1
ZEROS = 1 << 20


class MemoryFile(Leaf):
    """A file whose bytes are counted against the quota."""

    filetype = rights.REGULAR_FILE

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self.content = bytearray()
        self.opens = 0

    def size(self) -> int:
        return len(self.content)

    def resize(self, size: int) -> None:
        """Cut, or extend with zeros."""
        if size > MAX_OFFSET:
            raise WasiError(FBIG)
        self.quota.take(size - len(self.content))
        if size < len(self.content):
            del self.content[size:]
        while len(self.content) < size:
            self.content += bytes(min(ZEROS, size - len(self.content)))

    def open(self, how: Opened) -> Descriptor:
        if how.truncate:
            self.resize(0)
            self.touch()
        self.opens += 1
        return OpenMemoryFile(self, how.granted, how.flags)

    def released(self) -> None:
        if self.links == 0 and self.opens == 0:
            self.resize(0)
            super().released()


class PackageFile(Leaf):
    """A file of the package: readable, and nothing else."""

    filetype = rights.REGULAR_FILE

    def __init__(self, quota: Quota, content: memoryview) -> None:
        super().__init__(quota)
        self.content = content
        self.accessed = self.modified = self.changed = 0

    def size(self) -> int:
        return len(self.content)

    def open(self, how: Opened) -> Descriptor:
        if (how.writes and how.granted & rights.FD_READ == 0) or how.truncate:
            raise WasiError(ROFS)
        return OpenPackageFile(self, how.granted & ~WRITING, how.flags)


WRITING = rights.FD_WRITE | rights.FD_ALLOCATE | rights.FD_FILESTAT_SET_SIZE | rights.FD_FILESTAT_SET_TIMES


class Positioned(Descriptor):
    """A descriptor with a position, over something that has a size."""

    filetype = rights.REGULAR_FILE

    def __init__(self, granted: int, flags: int) -> None:
        super().__init__(granted, flags=flags)
        self.position = 0

    def size(self) -> int:
        """Where it ends."""
        raise NotImplementedError

    def seek(self, offset: int, whence: int) -> int:
        if whence > 2:
            raise WasiError(INVAL)
        position = (0, self.position, self.size())[whence] + offset
        if not 0 <= position <= MAX_OFFSET:
            raise WasiError(INVAL)
        self.position = position
        return position

    def read(self, buffers: list[memoryview]) -> int:
        done = self.read_at(buffers, self.position)
        self.position += done
        return done

    def ready_bytes(self) -> int:
        return max(0, self.size() - self.position)

    def advise(self) -> None:
        """Memory is as near as it gets."""


def _copy(content: memoryview, buffers: list[memoryview], offset: int) -> int:
    start = offset
    for buffer in buffers:
        piece = content[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        offset += len(piece)
    return offset - start


class OpenPackageFile(Positioned):
    """An open file of the package."""

    def __init__(self, file: PackageFile, granted: int, flags: int) -> None:
        super().__init__(granted, flags)
        self._file = file

    def size(self) -> int:
        return len(self._file.content)

    def stat(self) -> Stat:
        return self._file.stat()

    def read_at(self, buffers: list[memoryview], offset: int) -> int:
        return _copy(self._file.content, buffers, offset)


class OpenMemoryFile(Positioned):
    """An open file of the guest's own."""

    def __init__(self, file: MemoryFile, granted: int, flags: int) -> None:
        super().__init__(granted, flags)
        self._file = file

    def size(self) -> int:
        return len(self._file.content)

    def stat(self) -> Stat:
        return self._file.stat()

    def read_at(self, buffers: list[memoryview], offset: int) -> int:
        if offset > MAX_OFFSET:
            raise WasiError(INVAL)
        with memoryview(self._file.content) as content:
            return _copy(content, buffers, offset)

    def write(self, buffers: list[memoryview]) -> int:
        if self.flags & rights.APPEND:
            self.position = len(self._file.content)
        done = self._store(buffers, self.position)
        self.position += done
        return done

    def write_at(self, buffers: list[memoryview], offset: int) -> int:
        # Linux pwrite(2): on a file opened with O_APPEND data goes to the end whatever the offset.
        return self._store(buffers, len(self._file.content) if self.flags & rights.APPEND else offset)

    def _store(self, buffers: list[memoryview], offset: int) -> int:
        file, start = self._file, offset
        end = offset + sum(map(len, buffers))
        if end > MAX_OFFSET:
            raise WasiError(FBIG)
        if offset > len(file.content) and end > offset:
            file.resize(offset)
        if end > len(file.content):
            file.quota.take(end - len(file.content))
        for buffer in buffers:
            file.content[offset : offset + len(buffer)] = buffer
            offset += len(buffer)
        if offset > start:
            file.touch()
        return offset - start

    def set_size(self, size: int) -> None:
        self._file.resize(size)
        self._file.touch()

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        self._file.stamp(accessed, modified)

    def allocate(self, offset: int, length: int) -> None:
        if length == 0 or offset + length > MAX_OFFSET:
            raise WasiError(INVAL if length == 0 else FBIG)
        if offset + length > len(self._file.content):
            self._file.resize(offset + length)

    def close(self) -> None:
        self._file.opens -= 1
        self._file.released()
