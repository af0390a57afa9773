# SPDX-License-Identifier: Apache-2.0
"""`wasi:clocks`: the wall clock, and one that never goes back."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

import time

from enarx.runtime.component.interface import Interface, wit
from enarx.runtime.component.polling import Pollable, Timer
from enarx.runtime.component.types import U32, U64, Own, Record

SECOND = 1_000_000_000
LAST = (1 << 63) - 1
DATETIME = Record(seconds=U64, nanoseconds=U32)


class Wall(Interface):
    """`wasi:clocks/wall-clock`."""

    name = "wasi:clocks/wall-clock"

    @wit("now", returns=DATETIME)
    def now(self) -> tuple[int, int]:
        return divmod(time.time_ns(), SECOND)

    @wit("resolution", returns=DATETIME)
    def resolution(self) -> tuple[int, int]:
        return divmod(_resolution(time.CLOCK_REALTIME), SECOND)


class Monotonic(Interface):
    """`wasi:clocks/monotonic-clock`."""

    name = "wasi:clocks/monotonic-clock"

    @wit("now", returns=U64)
    def now(self) -> int:
        return time.monotonic_ns()

    @wit("resolution", returns=U64)
    def resolution(self) -> int:
        return _resolution(time.CLOCK_MONOTONIC)

    @wit("subscribe-instant", U64, returns=Own("pollable"))
    def subscribe_instant(self, moment: int) -> Pollable:
        return Timer(min(moment, LAST))

    @wit("subscribe-duration", U64, returns=Own("pollable"))
    def subscribe_duration(self, duration: int) -> Pollable:
        return Timer(min(time.monotonic_ns() + duration, LAST))


def _resolution(clock: int) -> int:
    return max(1, int(time.clock_getres(clock) * SECOND))
