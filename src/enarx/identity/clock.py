# SPDX-License-Identifier: Apache-2.0
"""The Steward's clock: it does not issue by a clock that jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from enarx.errors import Reason, Undetermined

TOLERANCE = 5.0
"""Seconds by which the time of day may move against the time that has passed, between two looks."""


class Clock:
    """Time of day, held against a clock that cannot be set."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - a door: this is where the clock is read
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()

    def now(self) -> datetime:
        """Now, UTC. `Undetermined` when the clock was moved: until it is set right, or we start anew."""
        wall = self._wall()
        offset = wall - self._steady()
        if abs(offset - self._offset) > TOLERANCE:
            moved = offset - self._offset
            raise Undetermined(
                Reason.CLOCK,
                f"the steward's clock jumped by {moved:+.0f} s",
                hint="set the clock right, or restart the steward when it is",
            )
        self._offset = offset  # what NTP corrects little by little is no jump
        return datetime.fromtimestamp(wall, UTC)
