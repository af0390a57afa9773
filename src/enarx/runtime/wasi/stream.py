# SPDX-License-Identifier: Apache-2.0
"""Standard streams of the host, the null file, and a file of the package that plays stdin."""
# ruff: noqa: ARG002, D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

import os
import select
import stat as mode
import time
from collections.abc import Callable

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.errno import AGAIN, BADF, INVAL, WasiError

FILETYPES = (
    (mode.S_ISCHR, rights.CHARACTER_DEVICE),
    (mode.S_ISREG, rights.REGULAR_FILE),
    (mode.S_ISSOCK, rights.SOCKET_STREAM),
    (mode.S_ISBLK, rights.BLOCK_DEVICE),
)


NANOSECONDS = 1_000_000_000


class Exhausted(Exception):
    """The guest has used up what a limit allows; the text names the limit."""


class Meter:
    """Bytes a second that the host's streams take together, with a second's worth at once."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left = float(rate)
        self._seen = time.monotonic_ns()

    def spend(self, count: int) -> None:
        """Account for bytes before they are written; raises Exhausted."""
        if self._rate <= 0:
            return
        now = time.monotonic_ns()
        self._left = min(self._rate, self._left + (now - self._seen) / NANOSECONDS * self._rate) - count
        self._seen = now
        if self._left < 0:
            said = f"output_rate = {self._rate}"
            raise Exhausted(said)


class Null(Descriptor):
    """Reads nothing, swallows everything."""

    def __init__(self) -> None:
        super().__init__(rights.STREAM)

    def read(self, buffers: list[memoryview]) -> int:
        return 0

    def write(self, buffers: list[memoryview]) -> int:
        return sum(map(len, buffers))

    def writer(self) -> Callable[[memoryview], int]:
        return len

    def set_flags(self, flags: int) -> None:
        if flags & ~(rights.APPEND | rights.NONBLOCK):
            raise WasiError(INVAL)
        self.flags = flags


class Stream(Descriptor):
    """A stream of the host.

    Its open file is shared with processes that are not ours, so O_NONBLOCK is never set on it:
    a non-blocking read asks the kernel first whether it would wait.
    """

    def __init__(self, host: int, granted: int, meter: Meter) -> None:
        super().__init__(rights.STREAM & ~(rights.FD_READ | rights.FD_WRITE) | granted)
        self._meter = meter
        self._host = host
        kind = os.fstat(host).st_mode
        self.filetype = next((t for test, t in FILETYPES if test(kind)), rights.UNKNOWN)

    def fileno(self) -> int:
        return self._host

    def _wait(self, event: int) -> None:
        """The stream would block: wait for it unless the guest asked for EAGAIN."""
        if self.flags & rights.NONBLOCK:
            raise WasiError(AGAIN)
        poll = select.poll()
        poll.register(self._host, event)
        poll.poll()

    def _ready(self, event: int) -> bool:
        poll = select.poll()
        poll.register(self._host, event)
        return bool(poll.poll(0))

    def read(self, buffers: list[memoryview]) -> int:
        if not self.rights & rights.FD_READ:
            raise WasiError(BADF)
        if self.flags & rights.NONBLOCK and not self._ready(select.POLLIN):
            raise WasiError(AGAIN)
        while True:
            try:
                return os.readv(self._host, buffers)
            except BlockingIOError:
                self._wait(select.POLLIN)

    def write(self, buffers: list[memoryview]) -> int:
        if not self.rights & rights.FD_WRITE:
            raise WasiError(BADF)
        if self.flags & rights.NONBLOCK and not self._ready(select.POLLOUT):
            raise WasiError(AGAIN)
        self._meter.spend(sum(map(len, buffers)))
        while True:
            try:
                return os.writev(self._host, buffers)
            except BlockingIOError:
                self._wait(select.POLLOUT)

    def stat(self) -> Stat:
        """Type and size alone: device, inode and times are the host's business."""
        return Stat(filetype=self.filetype, size=os.fstat(self._host).st_size)

    def set_flags(self, flags: int) -> None:
        if flags & ~(rights.APPEND | rights.NONBLOCK):
            raise WasiError(INVAL)
        self.flags = flags

    def close(self) -> None:
        os.close(self._host)


class Script(Descriptor):
    """A file of the package as standard input: read from start to end."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(rights.STREAM & ~rights.FD_WRITE)
        self._rest = memoryview(raw)

    def read(self, buffers: list[memoryview]) -> int:
        done = 0
        for buffer in buffers:
            count = min(len(buffer), len(self._rest))
            buffer[:count] = self._rest[:count]
            self._rest = self._rest[count:]
            done += count
        return done

    def ready_bytes(self) -> int:
        return len(self._rest)
