# SPDX-License-Identifier: Apache-2.0
"""Captures of Azure confidential VMs: an HCL report, and what else its publisher had."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from enarx.appraisal import azure as appraisal
from enarx.cli.vectors.content import sorted_out
from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.cli.vectors.intel import collateral
from enarx.cli.vectors.tpm_files import QUOTES, SIGNATURES, beside
from enarx.codec import json
from enarx.codec.digest import unhex
from enarx.errors import Malformed, Reason
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
    found = beside(files, leave_out=vector.evidence)
    parts = {name: raw for name, raw in found.parts().items() if name != "ak_public"}
    for name, names in (("td_quote", TD_QUOTES), ("quote", QUOTES), ("signature", ("tpm_quote.sig", *SIGNATURES))):
        if (raw := found.first(names)) is not None:
            parts[name] = raw
    if "quote" not in parts:
        parts = {name: raw for name, raw in parts.items() if name in {"td_quote", "ak_certificates"}}
    amd = sorted_out(files, leave_out=(vector.evidence, case.anchors))
    endorsements = Endorsements(amd.certificates, amd.crls, intel=_intel(case, files))
    evidence = Evidence(Kind(vector.kind), files[vector.evidence], parts)
    claims = azure.judge(evidence, endorsements, anchors=anchors, when=when)
    appraisal.appraise(claims, appraisal.unchecked(), when=when)
    return _outcome(claims)


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


def in_one_file(files: Mapping[str, bytes]) -> IntelCollateral | None:
    """Collateral in one JSON object (`…collateral….json`), or None."""
    found = next((raw for name, raw in sorted(files.items()) if "collateral" in name and name.endswith(".json")), None)
    return None if found is None else from_qvl(json.decode(found, "collateral"))


def from_qvl(table: Any) -> IntelCollateral:
    """Collateral as Intel's library and `dcap-qvl` write it: texts, and CRLs in hexadecimal or PEM."""
    if not isinstance(table, dict):
        raise Malformed(Reason.WRONG_TYPE, "collateral")
    return IntelCollateral(
        tcb_info=_signed(table, "tcbInfo", "tcb_info"),
        tcb_chain=_text(table, "tcb_info_issuer_chain"),
        qe_identity=_signed(table, "enclaveIdentity", "qe_identity"),
        qe_chain=_text(table, "qe_identity_issuer_chain"),
        pck_crl=_bytes(table, "pck_crl"),
        pck_crl_chain=_text(table, "pck_crl_issuer_chain"),
        root_crl=_bytes(table, "root_ca_crl"),
    )


def _text(table: dict[str, Any], name: str) -> bytes:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise Malformed(Reason.WRONG_TYPE, f"collateral: {name}")
    return value.encode()


def _bytes(table: dict[str, Any], name: str) -> bytes:
    value = _text(table, name).decode()
    return value.encode() if value.startswith("-----") else unhex(value, f"collateral: {name}")


def _signed(table: dict[str, Any], document: str, name: str) -> bytes:
    """The document as Intel's server sends it: the text that was signed, and its signature, in one object."""
    signature = _text(table, f"{name}_signature").decode()
    return f'{{"{document}":{_text(table, name).decode()},"signature":"{signature}"}}'.encode()
