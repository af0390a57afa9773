# SPDX-License-Identifier: Apache-2.0
"""Streams of bytes: what `wasi:io/streams` calls, whatever is behind.

A subclass says what can be done without waiting; waiting is done here. Nothing is read or written
ahead of the guest, except what a peer that is slow has not taken yet.
"""
# ruff: noqa: D102, ARG002 - methods are documented where they are first named

from __future__ import annotations

import select

from enarx.runtime.component.polling import Pollable, wait
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Table
from enarx.runtime.wasi.errno import BADF, PIPE, WasiError, from_host

MOST_BYTES = 1 << 16
"""At most so much crosses in one call: a byte takes 32 in the engine's hands."""
PIPE_ROOM = 4096
"""What a pipe that `poll` calls writable takes without blocking: PIPE_BUF."""

STANDING = 1 << 62
"""More holders than there can be handles."""


class Closed(Exception):
    """The stream has ended: nothing more comes, or nothing more is taken."""


class Shared:
    """An open descriptor that several handles of the guest stand on; closed with the last one."""

    def __init__(self, table: Table, number: int, holders: int) -> None:
        self.descriptor = table.get(number)
        self._table, self._number = table, number
        self._holders = holders

    @classmethod
    def opened(cls, table: Table, descriptor: Descriptor) -> Shared:
        """One that the guest has just opened, with one handle; errno MFILE at the limit."""
        return cls(table, table.add(descriptor), 1)

    @classmethod
    def standing(cls, table: Table, number: int) -> Shared:
        """One that the guest was given: its own handles never close it."""
        return cls(table, number, STANDING)

    def held(self) -> Shared:
        """The same, once more."""
        self._holders += 1
        return self

    def release(self) -> None:
        """One holder less."""
        self._holders -= 1
        if self._holders == 0:
            self._table.close(self._number)


class Readiness(Pollable):
    """Ready when the kernel says so of a descriptor."""

    def __init__(self, shared: Shared, mask: int) -> None:
        self._shared = shared.held()
        self._mask = mask

    def now(self) -> bool:
        return self._shared.descriptor.fileno() is None

    def interest(self) -> tuple[int, int] | None:
        fd = self._shared.descriptor.fileno()
        return None if fd is None else (fd, self._mask)

    def drop(self) -> None:
        self._shared.release()


class InputStream:
    """`input-stream`."""

    def read(self, most: int) -> bytes:
        """Up to so many bytes that are there now, perhaps none; raises `Closed` at the end."""
        raise Closed

    def pollable(self) -> Pollable:
        """Ready when `read` would give bytes, or the end."""
        return Pollable()

    def drop(self) -> None:
        """The guest has dropped its handle."""

    def blocking_read(self, most: int) -> bytes:
        """At least one byte, unless none is asked for."""
        while True:
            piece = self.read(most)
            if piece or not most:
                return piece
            rest(self.pollable())


class OutputStream:
    """`output-stream`."""

    def room(self) -> int:
        """How many bytes `write` would take now."""
        raise Closed

    def write(self, raw: bytes) -> None:
        """Take bytes, no more than `room` said."""
        raise Closed

    def flushed(self) -> bool:
        """Whether all that was taken has been handed on; tries to, without waiting."""
        return True

    def pollable(self) -> Pollable:
        """Ready when `room` would not be 0, and everything is flushed."""
        return Pollable()

    def drop(self) -> None:
        """The guest has dropped its handle."""

    def blocking_flush(self) -> None:
        """Wait until everything is handed on."""
        while not self.flushed():
            rest(self.pollable())

    def blocking_write(self, raw: bytes) -> None:
        """Write all, waiting for room as often as needed, and flush."""
        left = memoryview(raw)
        while left:
            room = self.room()
            if room:
                self.write(bytes(left[:room]))
                left = left[room:]
            else:
                rest(self.pollable())
        self.blocking_flush()


def rest(pollable: Pollable) -> None:
    """Wait for one."""
    try:
        wait([pollable])
    finally:
        pollable.drop()


class DescriptorInput(InputStream):
    """What is read from an open descriptor, from where it stands or from an offset on."""

    def __init__(self, shared: Shared, offset: int | None = None) -> None:
        self._shared = shared.held()
        self._offset = offset

    def read(self, most: int) -> bytes:
        if not most:
            return b""
        buffer = bytearray(min(most, MOST_BYTES))
        count = self._fill(memoryview(buffer))
        if count == 0:
            raise Closed
        return bytes(buffer[:count]) if count > 0 else b""

    def _fill(self, view: memoryview) -> int:
        """How many bytes were read; -1 for none yet."""
        descriptor = self._shared.descriptor
        if not descriptor.rights & rights.FD_READ:
            raise WasiError(BADF)
        if self._offset is not None:
            count = descriptor.read_at([view], self._offset)
            self._offset += count
            return count
        fd = descriptor.fileno()
        if fd is not None and not polled(fd, select.POLLIN):
            return -1
        try:
            return descriptor.read([view])
        except BlockingIOError:
            return -1

    def pollable(self) -> Pollable:
        return Readiness(self._shared, select.POLLIN) if self._offset is None else Pollable()

    def drop(self) -> None:
        self._shared.release()


class DescriptorOutput(OutputStream):
    """What is written to an open descriptor; `offset` None is where it stands, -1 its end."""

    def __init__(self, shared: Shared, offset: int | None = None) -> None:
        self._shared = shared.held()
        self._offset = offset
        self._waits = offset is None and shared.descriptor.fileno() is not None

    def room(self) -> int:
        fd = self._shared.descriptor.fileno()
        if not self._waits or fd is None:
            return MOST_BYTES
        return PIPE_ROOM if polled(fd, select.POLLOUT) else 0

    def write(self, raw: bytes) -> None:
        left = memoryview(raw)
        while left:
            left = left[self._some(left) :]

    def _some(self, left: memoryview) -> int:
        descriptor = self._shared.descriptor
        try:
            if self._offset is None:
                return descriptor.write([left])
            if self._offset < 0:
                return descriptor.write_at([left], descriptor.stat().size)
            count = descriptor.write_at([left], self._offset)
        except OSError as error:
            if from_host(error) == PIPE:
                raise Closed from None
            raise
        self._offset += count
        return count

    def pollable(self) -> Pollable:
        return Readiness(self._shared, select.POLLOUT) if self._waits else Pollable()

    def drop(self) -> None:
        self._shared.release()


def polled(fd: int, mask: int) -> bool:
    """Whether a descriptor is ready now."""
    poll = select.poll()
    poll.register(fd, mask)
    return bool(poll.poll(0))
