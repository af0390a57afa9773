# SPDX-License-Identifier: Apache-2.0
"""Captures of Azure confidential VMs: an HCL report, and what else its publisher had."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from enarx.appraisal import azure as appraisal
from enarx.cli.vectors.content import sorted_out
from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.cli.vectors.intel import collateral
from enarx.cli.vectors.intel_content import in_one_file
from enarx.cli.vectors.tpm_files import QUOTES, SIGNATURES, Beside, beside, unsized
from enarx.evidence import azure
from enarx.evidence.anchor import Anchors
from enarx.evidence.azure import AzureClaims
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.snp import SnpClaims

TD_QUOTES = ("td_quote", "tdx_quote")


def outcome(vector: Vector, case: Case, files: Mapping[str, bytes], anchors: Anchors, when: datetime) -> Outcome:
    """What comes of one case."""
    parts = parts_of(beside(files, leave_out=vector.evidence))
    amd = sorted_out(files, leave_out=(vector.evidence, case.anchors))
    endorsements = Endorsements(amd.certificates, amd.crls, intel=_intel(case, files))
    evidence = Evidence(Kind(vector.kind), files[vector.evidence], parts)
    claims = azure.judge(evidence, endorsements, anchors=anchors, when=when)
    appraisal.appraise(claims, appraisal.unchecked(), when=when)
    return _outcome(claims)


def parts_of(found: Beside) -> dict[str, bytes]:
    """What belongs to an HCL report, by the names of its parts."""
    parts = {name: raw for name, raw in found.parts().items() if name != "ak_public"}
    for name, names in (("td_quote", TD_QUOTES), ("quote", QUOTES), ("signature", ("tpm_quote.sig", *SIGNATURES))):
        if (raw := found.first(names)) is not None:
            parts[name] = unsized(raw) if name == "quote" else raw
    if "quote" not in parts:  # without a quote there is nothing that the other parts would belong to
        return {name: raw for name, raw in parts.items() if name in {"td_quote", "ak_certificates"}}
    return parts


def _outcome(claims: AzureClaims) -> Outcome:
    tee = claims.tee
    if isinstance(tee, SnpClaims):
        return Outcome(
            verdict="authentic",
            debug=claims.debug(),
            signing_key=str(tee.endorsed.key),
            product=str(tee.product),
            claims=claims.facts(),
        )
    return Outcome(
        verdict="authentic",
        debug=claims.debug(),
        tcb=tee.statuses(),
        tcb_info_version=tee.tcb_info_version,
        tcb_evaluation_data_number=tee.tcb_evaluation_data_number,
        claims=claims.facts(),
    )


def _intel(case: Case, files: Mapping[str, bytes]) -> IntelCollateral | None:
    """A folder of collateral, or one JSON object in the form of Intel's quote verification library."""
    return collateral(files, case.collateral) if case.collateral else in_one_file(files)
