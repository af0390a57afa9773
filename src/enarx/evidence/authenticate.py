# SPDX-License-Identifier: Apache-2.0
"""From evidence of any kind to claims: one arm a format.

Each arm imports its format when it is needed, so that judging one technology does not load all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from enarx.errors import Malformed, Reason
from enarx.evidence.anchor import Anchors
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory


def authenticate(  # noqa: C901, PLR0911 - one arm a format
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
    match evidence.kind:
        case Kind.SNP:
            from enarx.evidence import snp

            return snp.judge(evidence, endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.SGX:
            from enarx.evidence import sgx

            return sgx.authenticate(sgx.parse(evidence.body), endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.TDX:
            from enarx.evidence import tdx

            return tdx.authenticate(tdx.parse(evidence.body), endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.NITRO | Kind.NITROTPM:
            from enarx.evidence import nitro

            return nitro.judge(evidence, endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.NVIDIA_GPU | Kind.NVIDIA_SWITCH:
            from enarx.evidence import nvidia

            return nvidia.judge(evidence, endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.CCA:
            from enarx.evidence import cca

            return cca.judge(evidence, endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.PSA:
            from enarx.evidence import psa

            return psa.judge(evidence, endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.TPM:
            from enarx.evidence import tpm

            return tpm.judge(evidence, endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.AZURE_SNP_VTPM | Kind.AZURE_TDX_VTPM:
            from enarx.evidence import azure

            return azure.judge(evidence, endorsements, anchors=anchors, when=when, memory=memory)
        case Kind.NONE:
            from enarx.evidence import none

            return none.authenticate(none.parse(evidence.body))
        case _:
            raise Malformed(Reason.UNKNOWN_KIND, f"evidence of kind {evidence.kind}")
