# SPDX-License-Identifier: Apache-2.0
"""Waiting: what a pollable stands for, and the one place that waits for any of several."""
# ruff: noqa: D102 - methods are documented where they are first named

from __future__ import annotations

import math
import select
import time
from collections.abc import Sequence


class Overdue(Exception):
    """The guest has waited until it may wait no longer."""


class Bound:
    """Until when a guest may wait, in nanoseconds of the monotonic clock; None is for ever."""

    moment: int | None = None


UNTIL = Bound()
"""Of the one guest that this process runs."""


class Pollable:
    """Something that is ready at some time; by itself, at once and always."""

    def now(self) -> bool:
        """Whether it is ready, as far as that is known without asking the kernel."""
        return True

    def interest(self) -> tuple[int, int] | None:
        """The kernel's descriptor to wait on and the events of `poll(2)`, or None."""
        return None

    def due(self) -> int | None:
        """When it is ready at the latest, in nanoseconds of the monotonic clock."""
        return None

    def woken(self) -> bool:
        """The kernel reports one of the events: whether that makes it ready."""
        return True

    def drop(self) -> None:
        """The guest has dropped its handle."""


class Timer(Pollable):
    """Ready from a moment of the monotonic clock on."""

    def __init__(self, moment: int) -> None:
        self._moment = moment

    def now(self) -> bool:
        return time.monotonic_ns() >= self._moment

    def due(self) -> int | None:
        return self._moment


def wait(pollables: Sequence[Pollable], *, block: bool = True) -> list[int]:
    """The places of all that are ready, once one is; without `block`, perhaps none."""
    found = {place for place, one in enumerate(pollables) if one.now()}
    while True:
        members: dict[int, list[int]] = {}
        poll = _registered(pollables, members)
        dues = [moment for one in pollables if (moment := one.due()) is not None]
        if UNTIL.moment is not None:
            dues.append(UNTIL.moment)
        for fd, _ in poll.poll(0 if found or not block else _milliseconds(min(dues, default=None))):
            found.update(place for place in members[fd] if pollables[place].woken())
        found.update(place for place, one in enumerate(pollables) if one.due() is not None and one.now())
        if found or not block:
            return sorted(found)
        if UNTIL.moment is not None and time.monotonic_ns() >= UNTIL.moment:
            raise Overdue


def _registered(pollables: Sequence[Pollable], members: dict[int, list[int]]) -> select.poll:
    poll = select.poll()
    masks: dict[int, int] = {}
    for place, one in enumerate(pollables):
        interest = one.interest()
        if interest is not None:
            fd, mask = interest
            masks[fd] = masks.get(fd, 0) | mask
            members.setdefault(fd, []).append(place)
    for fd, mask in masks.items():
        poll.register(fd, mask)
    return poll


def _milliseconds(moment: int | None) -> int | None:
    """How long the kernel should wait, rounded up so that no clock is early; None is for ever."""
    if moment is None:
        return None
    return min(math.ceil(max(0, moment - time.monotonic_ns()) / 1_000_000), 1 << 30)
