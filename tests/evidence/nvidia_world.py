# SPDX-License-Identifier: Apache-2.0
"""Simulated NVIDIA devices, and judging their reports, for tests of the NVIDIA judge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from enarx.errors import EnarxError, Reason
from enarx.evidence import nvidia
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated.nvidia import (
    SimulatedNvidia,
)

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
NONCE = bytes(range(32))
GPU = SimulatedNvidia.made(WHEN)
SWITCH = SimulatedNvidia.made(WHEN, Kind.NVIDIA_SWITCH)


def judged(
    raw: bytes | None = None, given_: Endorsements | None = None, *, device: SimulatedNvidia = GPU, **more: Any
) -> nvidia.NvidiaClaims:
    evidence = Evidence(device.kind, raw if raw is not None else device.report(NONCE))
    endorsements = given_ or Endorsements(certificates=device.certificates)
    return nvidia.judge(evidence, endorsements, anchors=device.anchors(), when=more.pop("when", WHEN), **more)


def refused(*args: Any, **more: Any) -> tuple[type[EnarxError], Reason]:
    with pytest.raises(EnarxError) as caught:
        judged(*args, **more)
    return type(caught.value), caught.value.reason
