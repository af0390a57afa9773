# SPDX-License-Identifier: Apache-2.0
"""What every open descriptor can be asked, and the table that numbers them."""
# ruff: noqa: ARG002 - the arguments of an operation that the thing lacks

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.errno import BADF, INVAL, MFILE, NOTCAPABLE, NOTSOCK, SPIPE, WasiError


class Stat(NamedTuple):
    """`filestat`: times in nanoseconds since the epoch."""

    device: int = 0
    inode: int = 0
    filetype: int = rights.UNKNOWN
    links: int = 1
    size: int = 0
    accessed: int = 0
    modified: int = 0
    changed: int = 0


class Descriptor:
    """An open thing that can do nothing yet; each kind overrides what it can.

    A method answers what POSIX would for a thing that lacks the operation.
    """

    filetype = rights.UNKNOWN
    preopen = ""

    def __init__(self, granted: int, inheriting: int = 0, flags: int = 0) -> None:
        self.rights = granted
        self.inheriting = inheriting
        self.flags = flags

    def fileno(self) -> int | None:
        """The kernel's descriptor that says when this is ready; None when it always is."""
        return None

    def ready_bytes(self) -> int:
        """How much can be read at once, as `poll_oneoff` reports it."""
        return 0

    def read(self, buffers: list[memoryview]) -> int:
        """Fill the buffers from the current position; the number of bytes read."""
        raise WasiError(BADF)

    def write(self, buffers: list[memoryview]) -> int:
        """Write the buffers at the current position; the number of bytes written."""
        raise WasiError(BADF)

    def reader(self) -> Callable[[memoryview], int]:
        """What reads into a single buffer; the shorter its way, the faster the guest."""
        return lambda buffer: self.read([buffer])

    def writer(self) -> Callable[[memoryview], int]:
        """What writes a single buffer."""
        return lambda buffer: self.write([buffer])

    def read_at(self, buffers: list[memoryview], offset: int) -> int:
        """Fill the buffers from `offset`, leaving the position alone."""
        raise WasiError(SPIPE)

    def write_at(self, buffers: list[memoryview], offset: int) -> int:
        """Write the buffers at `offset`, leaving the position alone."""
        raise WasiError(SPIPE)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position (0 from the start, 1 from here, 2 from the end); the new one."""
        raise WasiError(SPIPE)

    def stat(self) -> Stat:
        """What `fd_filestat_get` answers."""
        return Stat(filetype=self.filetype)

    def set_size(self, size: int) -> None:
        """Cut or extend with zeros."""
        raise WasiError(INVAL)

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        """Set times in nanoseconds; None leaves one alone."""
        raise WasiError(INVAL)

    def allocate(self, offset: int, length: int) -> None:
        """Make sure that `length` bytes from `offset` exist."""
        raise WasiError(SPIPE)

    def advise(self) -> None:
        """Accept advice on access patterns; nothing here profits from it."""
        raise WasiError(SPIPE)

    def sync(self) -> None:
        """Flush to storage."""

    def set_flags(self, flags: int) -> None:
        """Replace the descriptor's flags."""
        self.flags = flags

    def accept(self, flags: int) -> Descriptor:
        """The next connection of a listener."""
        raise WasiError(NOTSOCK)

    def receive(self, buffers: list[memoryview], flags: int) -> tuple[int, int]:
        """Bytes received and `roflags`."""
        raise WasiError(NOTSOCK)

    def shutdown(self, how: int) -> None:
        """Close one direction or both (1 reading, 2 writing)."""
        raise WasiError(NOTSOCK)

    def close(self) -> None:
        """Give back what this holds."""


class Table:
    """Descriptors by number; a new one gets the lowest free number, as POSIX has it.

    most  how many may be open at once
    generation  counts the changes, for who keeps something that depends on what is open
    readers, writers  what `fd_read` and `fd_write` of one buffer call, for numbers with that right
    """

    def __init__(self, most: int) -> None:
        self.open: dict[int, Descriptor] = {}
        self.generation = 0
        self.readers: dict[int, Callable[[memoryview], int]] = {}
        self.writers: dict[int, Callable[[memoryview], int]] = {}
        self.most = most

    def add(self, descriptor: Descriptor) -> int:
        """Number a descriptor; errno MFILE when the limit is reached (the descriptor is closed)."""
        if len(self.open) >= self.most:
            descriptor.close()
            raise WasiError(MFILE)
        number = next(n for n in range(len(self.open) + 1) if n not in self.open)
        self.put(number, descriptor)
        return number

    def put(self, number: int, descriptor: Descriptor) -> None:
        """Give a descriptor this number."""
        self.open[number] = descriptor
        self.index(number)

    def index(self, number: int) -> None:
        """Renew what is derived from a number: it was opened, closed, or has lost rights."""
        self.generation += 1
        self.readers.pop(number, None)
        self.writers.pop(number, None)
        descriptor = self.open.get(number)
        if descriptor is not None and descriptor.rights & rights.FD_READ:
            self.readers[number] = descriptor.reader()
        if descriptor is not None and descriptor.rights & rights.FD_WRITE:
            self.writers[number] = descriptor.writer()

    def get(self, number: int, needed: int = 0) -> Descriptor:
        """The open descriptor; errno BADF if there is none, NOTCAPABLE if it lacks a right."""
        descriptor = self.open.get(number)
        if descriptor is None:
            raise WasiError(BADF)
        if needed & ~descriptor.rights:
            raise WasiError(NOTCAPABLE)
        return descriptor

    def skips(self, number: int) -> bool:
        """Whether a descriptor is no folder and stands before one that the guest was given."""
        first = 3
        if number < first or number not in self.open or self.open[number].preopen:
            return False
        return any(n > number and descriptor.preopen for n, descriptor in self.open.items())

    def close(self, number: int) -> None:
        """Close one."""
        descriptor = self.get(number)
        del self.open[number]
        self.index(number)
        descriptor.close()

    def renumber(self, number: int, target: int) -> None:
        """Move a descriptor to a number that is open already, closing what was there."""
        descriptor = self.get(number)
        replaced = self.get(target)
        if number == target:
            return
        del self.open[number]
        self.index(number)
        self.put(target, descriptor)
        replaced.close()
