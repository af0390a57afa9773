# SPDX-License-Identifier: Apache-2.0
"""From evidence of any kind to claims: one arm a format.

Each arm imports its format when it is needed, so that judging one technology does not load all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from enarx.errors import Malformed, Reason
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


def _judge_of(kind: Kind) -> Judge:  # noqa: C901, PLR0911 - one arm a kind, and nothing in it
    match kind:
        case Kind.SNP:
            from enarx.evidence import snp

            return snp.judge
        case Kind.SGX:
            from enarx.evidence import sgx

            return sgx.judge
        case Kind.TDX:
            from enarx.evidence import tdx

            return tdx.judge
        case Kind.NITRO | Kind.NITROTPM:
            from enarx.evidence import nitro

            return nitro.judge
        case Kind.NVIDIA_GPU | Kind.NVIDIA_SWITCH:
            from enarx.evidence import nvidia

            return nvidia.judge
        case Kind.CCA:
            from enarx.evidence import cca

            return cca.judge
        case Kind.PSA:
            from enarx.evidence import psa

            return psa.judge
        case Kind.TPM:
            from enarx.evidence import tpm

            return tpm.judge
        case Kind.AZURE_SNP_VTPM | Kind.AZURE_TDX_VTPM:
            from enarx.evidence import azure

            return azure.judge
        case Kind.NONE:
            from enarx.evidence import none

            return none.judge
        case _:
            raise Malformed(Reason.UNKNOWN_KIND, f"evidence of kind {kind}")
