# SPDX-License-Identifier: Apache-2.0
"""Whatever a piece of evidence still needs, from its vendor: one arm a kind.

Gathering never judges: what it brings is verified, and the judge verifies it again.
"""

from __future__ import annotations

from datetime import datetime

from enarx.endorser.ask import Endorser, undetermined
from enarx.errors import EnarxError
from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind


def gather(
    evidence: Evidence, given: Endorsements, endorser: Endorser, *, anchors: Anchors, when: datetime
) -> Endorsements:
    """`given`, and what its vendor's servers (or the cache) have for this evidence.

    Never raises for what could not be got or read: `endorser` hears of the trouble, and the
    judge, who sees the same evidence, says what it means.
    """
    try:
        return _of_kind(evidence, given, endorser, anchors=anchors, when=when)
    except EnarxError as error:
        endorser.trouble(undetermined(error))
        return given


def _of_kind(
    evidence: Evidence, given: Endorsements, endorser: Endorser, *, anchors: Anchors, when: datetime
) -> Endorsements:
    match evidence.kind:
        case Kind.SNP:
            from enarx.endorser import amd

            return amd.gather(evidence.body, given, endorser, anchors=anchors, when=when)
        case Kind.AZURE_SNP_VTPM:
            from enarx.endorser import amd
            from enarx.evidence import azure_hcl

            report = azure_hcl.parse(evidence.body).hardware
            return amd.gather(report, given, endorser, anchors=anchors, when=when)
        case Kind.SGX | Kind.TDX:
            from enarx.endorser import intel

            return intel.gather(evidence.kind, evidence.body, given, endorser, anchors=anchors, when=when)
        case Kind.AZURE_TDX_VTPM if "td_quote" in evidence.parts:
            from enarx.endorser import intel

            return intel.gather(Kind.TDX, evidence.parts["td_quote"], given, endorser, anchors=anchors, when=when)
        case Kind.NVIDIA_GPU | Kind.NVIDIA_SWITCH:
            from enarx.endorser import nvidia

            return nvidia.gather(evidence, given, endorser, anchors=anchors, when=when)
        case _:
            return given
