# SPDX-License-Identifier: Apache-2.0
"""What a Keep without a TEE says: the digest of its binding, and that nobody vouches for it.

It has the shape of evidence so that the same story is told on every machine; it never
satisfies a policy that asks for a TEE.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.errors import Malformed, Reason
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Check, Verdict
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory

ANCHORS = "none"
"""The name of the anchors: there are none."""


class NoneReport(msgspec.Struct, frozen=True):
    """The 64-byte digest of a binding, signed by no one."""

    raw: bytes


class NoneClaims(Claims, frozen=True, kw_only=True):
    """Nothing is known of the machine, whoever asks."""

    def facts(self) -> dict[str, Any]:
        """Only what the Keep says of itself."""
        return {"report_data": self.bound.hex()}

    def debug(self) -> bool:
        """Whoever runs the machine can look into everything."""
        return True


def parse(raw: bytes) -> NoneReport:
    """Exactly one SHA-512 digest."""
    if len(raw) != 64:
        raise Malformed(Reason.WRONG_LENGTH, f"evidence of a keep without a tee: {len(raw)} bytes, expected 64")
    return NoneReport(raw)


def authenticate(report: NoneReport) -> NoneClaims:
    """Claims that say `none`: there is nothing to authenticate."""
    said = Check("hardware", Verdict.NOTED, Reason.NO_TEE, "none: no hardware vouches for this keep", source="design 5")
    return NoneClaims(kind=Kind.NONE, anchors=ANCHORS, bound=report.raw, launch=None, window=None, checks=(said,))


def judge(
    evidence: Evidence,
    endorsements: Endorsements,  # noqa: ARG001 - the shape of every judge
    *,
    anchors: Anchors,  # noqa: ARG001
    when: datetime,  # noqa: ARG001
    memory: Memory[Any] | None = None,  # noqa: ARG001
) -> NoneClaims:
    """Parse, and say `none`."""
    return authenticate(parse(evidence.body))
