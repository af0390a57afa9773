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
from enarx.runtime.wasi.memory import WORD, GuestMemory

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


class Plan:
    """One list of subscriptions, prepared: servers ask for the same list again and again.

    members  who asks about a descriptor of the kernel
    readers  those of them that ask for one thing alone, whether it can be read: the userdata, and what
             counts its bytes
    """

    def __init__(self, wanted: list[Subscription], table: Table) -> None:
        self.generation = table.generation
        self.wanted = wanted
        self.clocks = [subscription for subscription in wanted if subscription.tag == CLOCK]
        self.poll = select.poll()
        self.members: dict[int, list[tuple[Subscription, Descriptor]]] = {}
        self.always: list[tuple[Subscription, Descriptor | None]] = []
        masks: dict[int, int] = {}
        for subscription in wanted:
            if subscription.tag == CLOCK:
                continue
            if subscription.tag > WRITE:
                raise WasiError(INVAL)
            descriptor = table.open.get(subscription.place)
            host = None if descriptor is None else descriptor.fileno()
            if host is None or descriptor is None:
                self.always.append((subscription, descriptor))
                continue
            masks[host] = masks.get(host, 0) | (select.POLLIN if subscription.tag == READ else select.POLLOUT)
            self.members.setdefault(host, []).append((subscription, descriptor))
        for host, mask in masks.items():
            self.poll.register(host, mask)
        self.readers = {
            host: (members[0][0].userdata, members[0][1].ready_bytes)
            for host, members in self.members.items()
            if masks[host] == select.POLLIN and len(members) == 1
        }


class Poll:
    """The one waiting function of preview 1."""

    def __init__(self, memory: GuestMemory, table: Table) -> None:
        self._memory = memory
        self._table = table
        self._raw = b""
        self._plan = Plan([], table)

    def poll_oneoff(self, subscriptions: int, events: int, count: int, result: int) -> int:
        if not 0 < count <= MAX_SUBSCRIPTIONS:
            raise WasiError(INVAL)
        memory = self._memory
        size = SUBSCRIPTION.size * count
        memory.at(subscriptions, size)
        memory.at(events, EVENT.size * count)
        memory.at(result, 4)
        raw = memory.view[subscriptions : subscriptions + size].tobytes()
        if raw != self._raw or self._plan.generation != self._table.generation:
            wanted = [Subscription(*fields) for fields in SUBSCRIPTION.iter_unpack(raw)]
            self._plan, self._raw = Plan(wanted, self._table), raw
        plan = self._plan
        if plan.clocks or plan.always:
            found = self._wait_timed(plan)
            memory.view[events : events + EVENT.size * len(found)] = b"".join(found)
            end = events + EVENT.size * len(found)
        else:
            end = events
            while end == events:
                end = _wait(plan, memory.view, events)
        WORD.pack_into(memory.view, result, (end - events) // EVENT.size)
        return 0

    def _wait_timed(self, plan: Plan) -> list[bytes]:
        due, events = _deadlines(plan.clocks, time.monotonic_ns())
        events += [_event(s, s.tag, error=BADF) for s, d in plan.always if d is None]
        events += [_event(s, s.tag, count=d.ready_bytes()) for s, d in plan.always if d is not None]
        earliest = min((moment for moment, _ in due), default=None)
        while True:
            for host, mask in plan.poll.poll(0 if events else _milliseconds(earliest)):
                events += _answered(plan.members[host], mask)
            now = time.monotonic_ns()
            events += [_event(s, CLOCK) for moment, s in due if moment <= now]
            if events:
                return events


def _wait(plan: Plan, view: memoryview, place: int) -> int:
    """Write every event that is there when the first one is; where they end."""
    readers, pack = plan.readers, EVENT.pack_into
    for host, mask in plan.poll.poll():
        if mask == select.POLLIN and host in readers:
            userdata, ready_bytes = readers[host]
            pack(view, place, userdata, SUCCESS, READ, ready_bytes(), 0)
            place += EVENT.size
        else:
            for event in _answered(plan.members[host], mask):
                view[place : place + EVENT.size] = event
                place += EVENT.size
    return place


def _deadlines(wanted: list[Subscription], started: int) -> tuple[list[tuple[int, Subscription]], list[bytes]]:
    """When each clock is due on the monotonic clock, and the clocks that cannot be waited for."""
    due: list[tuple[int, Subscription]] = []
    refused: list[bytes] = []
    for subscription in wanted:
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
    """The events that an answer of the kernel means to those who asked about that descriptor."""
    hangup = HANGUP if mask & select.POLLHUP else 0
    events: list[bytes] = []
    for subscription, descriptor in members:
        if subscription.tag == READ:
            if mask & ~select.POLLOUT:
                count = descriptor.ready_bytes() if mask & select.POLLIN else 0
                events.append(EVENT.pack(subscription.userdata, SUCCESS, READ, count, hangup))
        elif mask & ~select.POLLIN:
            events.append(EVENT.pack(subscription.userdata, SUCCESS, WRITE, 0, hangup))
    return events


def _event(subscription: Subscription, tag: int, *, error: int = SUCCESS, count: int = 0, flags: int = 0) -> bytes:
    return EVENT.pack(subscription.userdata, error, tag, count, flags)
