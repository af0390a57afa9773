# SPDX-License-Identifier: Apache-2.0
"""Output of a guest with an `output_rate`, carried and counted by its agent.

The guest's process counts too, and ends first with a clear reason; a guest that broke out of wasm and
does not count any more meets this.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

PIECE = 1 << 16
SLACK = 2
"""Seconds' worth of output that may come at once: the guest's own count allows one, by its own clock."""


class Pump:
    """Carries what comes out of pipes to the host's streams. overrun: that was too much."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._exceeded: Callable[[], None] = lambda: None
        self.overrun = False
        self._ways: dict[int, int] = {}
        self._left = float(SLACK * rate)
        self._seen = time.monotonic()
        self._thread = threading.Thread(target=self._carry, name="output", daemon=True)

    def through(self, host: int) -> int:
        """The end of a new pipe that leads to `host`; both become the pump's and the caller's to close."""
        reading, writing = os.pipe()
        self._ways[reading] = host
        return writing

    def start(self, exceeded: Callable[[], None]) -> None:
        """Carry from now on; `exceeded` is called, in a thread of the pump's, when too much comes."""
        self._exceeded = exceeded
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Nobody writes any more: wait until everything is through, at most so long."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def close(self) -> None:
        """A guest that never began has nothing to carry."""
        if self._thread.ident is None:
            while self._ways:
                for descriptor in self._ways.popitem():
                    os.close(descriptor)

    def _spend(self, count: int) -> bool:
        now = time.monotonic()
        self._left = min(SLACK * self._rate, self._left + (now - self._seen) * self._rate) - count
        self._seen = now
        return self._left >= 0

    def _carry(self) -> None:
        poll = select.poll()
        for reading in self._ways:
            poll.register(reading, select.POLLIN)
        while self._ways:
            for reading, _ in poll.poll():
                raw = os.read(reading, PIECE)
                if raw and self._spend(len(raw)):
                    _write(self._ways[reading], raw)
                    continue
                if raw:
                    self.overrun = True
                    self._exceeded()
                poll.unregister(reading)
                os.close(reading)
                os.close(self._ways.pop(reading))


def _write(host: int, raw: bytes) -> None:
    """All of it; a host that does not read any more loses it, as its own programs' output."""
    view = memoryview(raw)
    with suppress(OSError):
        while view:
            try:
                view = view[os.write(host, view) :]
            except BlockingIOError:
                select.select([], [host], [])
