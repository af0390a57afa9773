# SPDX-License-Identifier: Apache-2.0
"""What all tenants of one worker share: the writes, the log, the clock, the counters."""

from __future__ import annotations

import msgspec
from prometheus_client import CollectorRegistry, Counter

from enarx.errors import EnarxError
from enarx.identity.clock import Clock
from enarx.identity.ledger import Ledger
from enarx.identity.log import LogKey


class Outcomes:
    """Judgements, counted by technology, verdict and reason."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "enarx_appraisals", "Evidence judged", ("technology", "verdict", "reason"), registry=registry
        )

    def add(self, kinds: str, error: EnarxError | None) -> None:
        """One judgement ended."""
        verdict, reason = ("accepted", "") if error is None else (error.family, str(error.reason))
        self._count.labels(kinds, verdict, reason).inc()


class Shared(msgspec.Struct, frozen=True):
    """See the module."""

    ledger: Ledger
    log: LogKey
    clock: Clock
    outcomes: Outcomes
