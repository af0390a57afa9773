# SPDX-License-Identifier: Apache-2.0
"""From evidence of any kind to claims: one arm a format.

Each arm imports its format when it is needed, so that judging one technology does not load all.
"""

from __future__ import annotations

import importlib
from datetime import datetime
from typing import Any, Protocol

from enarx.evidence.anchor import Anchors
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory


def authenticate(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> Claims:
    """Claims that `anchors` vouch for at `when`.

    `Malformed` if the bytes are not what their kind says, `Unauthentic` if no one vouches for
    them, `Undetermined` if an endorsement is missing; errors carry the checks made so far.
    """
    return _judge_of(evidence.kind)(evidence, endorsements, anchors=anchors, when=when, memory=memory)


class Judge(Protocol):
    """From evidence of one kind to claims."""

    def __call__(
        self,
        evidence: Evidence,
        endorsements: Endorsements,
        *,
        anchors: Anchors,
        when: datetime,
        memory: Memory[Any] | None = None,
    ) -> Claims:
        """See `authenticate`."""


def _judge_of(kind: Kind) -> Judge:
    judge: Judge = importlib.import_module(f"enarx.evidence.{FORMATS[kind]}").judge
    return judge


FORMATS: dict[Kind, str] = {
    Kind.SNP: "snp",
    Kind.SGX: "sgx",
    Kind.TDX: "tdx",
    Kind.NITRO: "nitro",
    Kind.NITROTPM: "nitro",
    Kind.TPM: "tpm",
    Kind.AZURE_SNP_VTPM: "azure",
    Kind.AZURE_TDX_VTPM: "azure",
    Kind.NVIDIA_GPU: "nvidia",
    Kind.NVIDIA_SWITCH: "nvidia",
    Kind.CCA: "cca",
    Kind.PSA: "psa",
    Kind.NONE: "none",
}
"""The module of each kind; it is imported when the first evidence of that kind is judged."""
