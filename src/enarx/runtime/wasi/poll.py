# SPDX-License-Identifier: Apache-2.0
"""`poll_oneoff`: clocks and descriptors, at the kernel's `poll`."""
# ruff: noqa: D102 - the function is the specification's

from __future__ import annotations

import math
import select
import time
from struct import Struct
from typing import NamedTuple

from enarx.runtime.wasi.descriptor import Descriptor, Table
from enarx.runtime.wasi.errno import BADF, INVAL, NOTSUP, SUCCESS, WasiError
from enarx.runtime.wasi.memory import GuestMemory

SUBSCRIPTION = Struct("<QBxxxxxxxIxxxxQQHxxxxxx")
"""userdata, tag, then a clock (id, timeout, precision, flags) or a descriptor (fd in the id's place)."""
EVENT = Struct("<QHBxxxxxQHxxxxxx")
CLOCK, READ, WRITE = 0, 1, 2
ABSTIME = 1
HANGUP = 1
REALTIME, MONOTONIC = 0, 1
MAX_SUBSCRIPTIONS = 4096
NANOSECONDS = 1_000_000_000


class Subscription(NamedTuple):
    """One thing to wait for. `place` is a clock's number or a descriptor's."""

    userdata: int
    tag: int
    place: int
    timeout: int
    precision: int
    flags: int


class Poll:
    """The one waiting function of preview 1."""

    def __init__(self, memory: GuestMemory, table: Table) -> None:
        self._memory = memory
        self._table = table

    def poll_oneoff(self, subscriptions: int, events: int, count: int, result: int) -> int:
        if not 0 < count <= MAX_SUBSCRIPTIONS:
            raise WasiError(INVAL)
        memory = self._memory
        raw = memory.text(subscriptions, SUBSCRIPTION.size * count)
        memory.at(events, EVENT.size * count)
        memory.at(result, 4)
        wanted = [Subscription(*fields) for fields in SUBSCRIPTION.iter_unpack(raw)]
        found = self._wait(wanted)
        memory.put(events, b"".join(found))
        memory.put_word(result, len(found))
        return 0

    def _wait(self, wanted: list[Subscription]) -> list[bytes]:
        """Every event that is there when the first one is."""
        started = time.monotonic_ns()
        due, events = _deadlines(wanted, started)
        waiting, ready = self._watch(wanted)
        events += ready
        poll = select.poll()
        for host, (mask, _) in waiting.items():
            poll.register(host, mask)
        earliest = min((moment for moment, _ in due), default=None)
        while True:
            answers = poll.poll(0 if events else _milliseconds(earliest))
            for host, mask in answers:
                events += _answered(waiting[host][1], mask)
            now = time.monotonic_ns()
            events += [_event(s, CLOCK) for moment, s in due if moment <= now]
            if events:
                return events

    def _watch(
        self, wanted: list[Subscription]
    ) -> tuple[dict[int, tuple[int, list[tuple[Subscription, Descriptor]]]], list[bytes]]:
        """What to ask the kernel for, by its descriptor, and what needs no asking."""
        waiting: dict[int, tuple[int, list[tuple[Subscription, Descriptor]]]] = {}
        ready: list[bytes] = []
        for subscription in wanted:
            if subscription.tag not in (READ, WRITE):
                continue
            descriptor = self._table.open.get(subscription.place)
            if descriptor is None:
                ready.append(_event(subscription, subscription.tag, error=BADF))
                continue
            host = descriptor.fileno()
            if host is None:
                ready.append(_event(subscription, subscription.tag, count=descriptor.ready_bytes()))
                continue
            mask, members = waiting.get(host, (0, []))
            mask |= select.POLLIN if subscription.tag == READ else select.POLLOUT
            waiting[host] = (mask, [*members, (subscription, descriptor)])
        return waiting, ready


def _deadlines(wanted: list[Subscription], started: int) -> tuple[list[tuple[int, Subscription]], list[bytes]]:
    """When each clock is due on the monotonic clock, and the clocks that cannot be waited for."""
    due: list[tuple[int, Subscription]] = []
    refused: list[bytes] = []
    for subscription in wanted:
        if subscription.tag > WRITE:
            raise WasiError(INVAL)
        if subscription.tag != CLOCK:
            continue
        if subscription.place not in (REALTIME, MONOTONIC):
            error = NOTSUP if subscription.place in (2, 3) else INVAL
            refused.append(_event(subscription, CLOCK, error=error))
        elif not subscription.flags & ABSTIME:
            due.append((started + subscription.timeout, subscription))
        elif subscription.place == MONOTONIC:
            due.append((subscription.timeout, subscription))
        else:
            due.append((started + subscription.timeout - time.time_ns(), subscription))
    return due, refused


def _milliseconds(moment: int | None) -> int | None:
    """How long the kernel should wait, rounded up so that no clock is early; None is for ever."""
    if moment is None:
        return None
    left = max(0, moment - time.monotonic_ns())
    return min(math.ceil(left / 1_000_000), 1 << 30)


def _answered(members: list[tuple[Subscription, Descriptor]], mask: int) -> list[bytes]:
    events: list[bytes] = []
    for subscription, descriptor in members:
        hangup = HANGUP if mask & select.POLLHUP else 0
        if subscription.tag == READ and mask & ~select.POLLOUT:
            count = descriptor.ready_bytes() if mask & select.POLLIN else 0
            events.append(_event(subscription, READ, count=count, flags=hangup))
        elif subscription.tag == WRITE and mask & ~select.POLLIN:
            events.append(_event(subscription, WRITE, flags=hangup))
    return events


def _event(subscription: Subscription, tag: int, *, error: int = SUCCESS, count: int = 0, flags: int = 0) -> bytes:
    return EVENT.pack(subscription.userdata, error, tag, count, flags)
