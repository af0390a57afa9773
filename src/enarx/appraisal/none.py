# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of a Keep without a TEE: that it be accepted at all, in so many words."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from enarx.appraisal.expectation import Section
from enarx.errors import Reason
from enarx.evidence.check import Check, Verdict
from enarx.evidence.none import NoneClaims


class NonePolicy(Section, frozen=True, kw_only=True):
    """The section's presence does not accept such a Keep; its one field does.

    insecure  "accepted": whoever owns the machine may read and change everything in the Keep
    """

    insecure: Literal["accepted", "refused"]


def appraise(claims: NoneClaims, policy: NonePolicy, *, when: datetime) -> tuple[Check, ...]:  # noqa: ARG001 - the shape of every section
    """One check, which never claims that anything was proven."""
    source = "policy: none.insecure"
    if policy.insecure == "accepted":
        return (Check("no TEE", Verdict.UNCHECKED, Reason.NO_TEE, "none", "accepted as insecure", source),)
    return (
        Check(
            "no TEE", Verdict.FAILED, Reason.NO_TEE, "none", "a tee", source, "run the keep on a platform with a tee"
        ),
    )


def unchecked() -> NonePolicy:
    """Refused: no built-in policy accepts a Keep without a TEE."""
    return NonePolicy(insecure="refused")
