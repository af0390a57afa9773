# SPDX-License-Identifier: Apache-2.0
"""SGX quotes: parsed, and judged with genuine collateral."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.evidence import sgx
from enarx.evidence.memory import Memory
from enarx.platform.simulated.sgx import SimulatedSgx

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
SIMULATED = SimulatedSgx.made(WHEN)
GIVEN = SIMULATED.endorsements()
MEMORY: Memory[object] = Memory()


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the judge as a quote."""
    with driver.families():
        report = sgx.parse(data)
        sgx.authenticate(report, GIVEN, anchors=SIMULATED.anchors(), when=WHEN, memory=MEMORY)


if __name__ == "__main__":
    driver.main(target, tuple(SIMULATED.quote(b"", version=version) for version in (3, 4, 5)))
