# SPDX-License-Identifier: Apache-2.0
"""The output side of a connection: takes what the peer is too slow for, and hands it on bit by bit."""
# ruff: noqa: D102 - methods are documented where they are first named, in `streams`

from __future__ import annotations

import select
import time

from enarx.runtime.component.polling import Pollable, wait
from enarx.runtime.component.streams import MOST_BYTES, Closed, OutputStream, Readiness, Shared
from enarx.runtime.wasi.errno import PIPE, from_host

LINGER_NS = 5_000_000_000
"""How long a stream that is dropped with bytes left waits for its peer to take them."""


class SocketOutput(OutputStream):
    """Writes to a connection that does not block."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared.held()
        self._pending = bytearray()

    def room(self) -> int:
        return MOST_BYTES if self.flushed() else 0

    def write(self, raw: bytes) -> None:
        self._pending += raw
        self.flushed()

    def flushed(self) -> bool:
        """Whether nothing is left; raises what the connection has come to."""
        while self._pending:
            try:
                count = self._shared.descriptor.write([memoryview(bytes(self._pending[:MOST_BYTES]))])
            except BlockingIOError:
                return False
            except OSError as error:
                self._pending.clear()
                if from_host(error) == PIPE:
                    raise Closed from None
                raise
            del self._pending[:count]
        return True

    def taken(self) -> bool:
        """Whether `room` would answer, if only with an error."""
        try:
            return self.flushed()
        except (Closed, OSError):
            return True

    def pollable(self) -> Pollable:
        return Drained(self, self._shared)

    def drop(self) -> None:
        deadline = time.monotonic_ns() + LINGER_NS
        while not self.taken() and time.monotonic_ns() < deadline:
            pollable = Drained(self, self._shared, deadline)
            wait([pollable])
            pollable.drop()
        self._shared.release()


class Drained(Readiness):
    """Ready when a connection has taken all that it was given."""

    def __init__(self, output: SocketOutput, shared: Shared, deadline: int | None = None) -> None:
        super().__init__(shared, select.POLLOUT)
        self._output = output
        self._deadline = deadline

    def now(self) -> bool:
        over = self._deadline is not None and time.monotonic_ns() >= self._deadline
        return over or self._output.taken()

    def due(self) -> int | None:
        return self._deadline

    def woken(self) -> bool:
        return self._output.taken()
