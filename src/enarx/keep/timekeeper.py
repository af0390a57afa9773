# SPDX-License-Identifier: Apache-2.0
"""What a Keep knows of the time, whose host sets every clock that it could look at.

It asks its Steward, over a nonce of its own. From there on it counts: with a counter that the TEE
keeps from the host (TDX), for as long as it likes; with any other, for a minute, and then it asks
again. When nobody answers it does not know the time, and decides nothing that depends on it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from enarx.codec.x509 import PublicKey
from enarx.identity.client import StewardClient
from enarx.identity.moment import Moment

FRESH = timedelta(seconds=60)
"""How old an answer may be for a decision, where the host could slow the counter down."""
SLOWEST = timedelta(seconds=30)
"""An answer that took longer says too little."""
_NONCE = 32

Ask = Callable[[bytes], datetime]
"""From a fresh nonce to the time that the Steward signed over it."""


class Source(StrEnum):
    """Where a Keep's time is from, as results say it."""

    TRUSTED = "trusted"
    """Signed by the Steward, counted by the TEE."""
    POLLED = "polled"
    """Signed by the Steward, and asked for again."""
    HOST = "host"
    """The machine's clock, which the host sets."""


def steady() -> float:
    """Seconds of a clock that cannot be set; it goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Timekeeper:
    """The time of one Keep."""

    def __init__(self, ask: Ask, *, counted: bool, clock: Callable[[], float] = steady) -> None:
        """`counted`: the TEE keeps the counter behind `clock` from the host."""
        self._ask = ask
        self._clock = clock
        self._since: tuple[Moment, float] | None = None
        self._due = 0.0
        self.source = Source.TRUSTED if counted else Source.POLLED

    def now(self) -> Moment:
        """Now, for a decision. Raises what kept the Steward from answering, where it had to be asked."""
        if self._since is not None:
            moment, at = self._since
            passed = timedelta(seconds=self._clock() - at)
            if self.source is Source.TRUSTED or timedelta(0) <= passed <= FRESH:
                return moment.later(passed)
        return self._asked()

    def stale(self) -> bool:
        """Whether the next decision would ask."""
        return self._clock() >= self._due

    def put_off(self) -> None:
        """Nobody answered: not stale for a while, so that asking again does not take all of the time."""
        self._due = self._clock() + FRESH.total_seconds()

    def _asked(self) -> Moment:
        before = self._clock()
        signed = self._ask(secrets.token_bytes(_NONCE))
        after = self._clock()
        # Whoever holds the answer back makes the moment longer, never wrong: both ends are used at their worse.
        moment = Moment(signed, signed + timedelta(seconds=max(after - before, 0)))
        if moment.latest - moment.earliest <= SLOWEST:
            self._since = moment, after
            self._due = float("inf") if self.source is Source.TRUSTED else after + FRESH.total_seconds()
        return moment


def of_steward(url: str, pin: bytes, key: PublicKey, *, counted: bool) -> Timekeeper:
    """The time that the Steward at `url` signs with `key`, over a connection of its own for each question."""

    def ask(nonce: bytes) -> datetime:
        with StewardClient(url, ca_pins=[pin]) as steward:
            return steward.time(nonce, key)

    return Timekeeper(ask, counted=counted)


def set_clock(now: Moment) -> None:
    """Set the machine's clock, by which libraries judge certificates, where this machine is the Keep's own."""
    with contextlib.suppress(OSError):  # a process of the host may not, and must not
        time.clock_settime(time.CLOCK_REALTIME, now.latest.timestamp())
