# SPDX-License-Identifier: Apache-2.0
"""Evidence for a guest that asks: the agent's side of `/attest`, with a limit on how often."""

from __future__ import annotations

from collections.abc import Callable

MOST_BYTES = 4096
BURST = 5
SECONDS_EACH = 1.0


class Attesting:
    """Asks for fresh evidence over the guest's bytes, a few at once and then one a second.

    attest  makes evidence with purpose `guest` and these bytes as `data`; raises EnarxError
    clock   seconds that never go back
    """

    def __init__(self, attest: Callable[[bytes], bytes], clock: Callable[[], float]) -> None:
        self._attest = attest
        self._clock = clock
        self._left = float(BURST)
        self._seen = clock()

    def evidence(self, asked: bytes) -> bytes | None:
        """The evidence; None when the guest asks too much or too often."""
        now = self._clock()
        self._left = min(float(BURST), self._left + (now - self._seen) / SECONDS_EACH)
        self._seen = now
        if len(asked) > MOST_BYTES or self._left < 1:
            return None
        self._left -= 1
        return self._attest(asked)
