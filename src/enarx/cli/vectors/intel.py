# SPDX-License-Identifier: Apache-2.0
"""Judging vectors of Intel SGX and TDX."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.cli.vectors.intel_content import as_listed, completed
from enarx.errors import EnarxError, Malformed
from enarx.evidence import intel_pck, intel_pem, sgx, tdx
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.check import Check
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.intel_claims import IntelClaims, facts_of
from enarx.evidence.intel_quote import PCK_CHAIN, Quote
from enarx.evidence.sgx import SgxReport
from enarx.evidence.tdx import TdxReport

UNLIMITED = datetime(2026, 1, 1, tzinfo=UTC)
"""For cases that name no time, because nothing in them has one."""

NAMES = {
    "tcb_info": ("tcb_info.json", "tcbinfo.json"),
    "tcb_chain": ("tcb_signing_chain.pem", "tcb_info_issuer_chain.pem"),
    "qe_identity": ("qe_identity.json",),
    "qe_chain": ("qe_identity_issuer_chain.pem", "qe_chain.pem", "tcb_signing_chain.pem"),
    "pck_crl": ("pck_crl.der", "pck_crl.pem", "pck_crl.crl"),
    "pck_crl_chain": ("pck_crl_issuer_chain.pem", "pck_crl_chain.pem"),
    "root_crl": ("root_ca_crl.der", "root_ca_crl.pem", "root_crl.der", "root_crl.pem"),
}
"""Under which names a folder of collateral usually holds what; the first that exists counts."""


def judge(vector: Vector, case: Case, files: Mapping[str, bytes], *, production: Anchors) -> Outcome:
    """Judge one case of a quote."""
    anchors = anchors_of(case, files, production)
    endorsements = Endorsements(
        certificates=loose_chain(files), intel=collateral(files, case.collateral) if case.collateral else None
    )
    when = case.when or UNLIMITED
    report: SgxReport | TdxReport
    try:
        report = sgx.parse(files[vector.evidence]) if vector.kind == "sgx" else tdx.parse(files[vector.evidence])
    except Malformed as error:
        return Outcome(verdict=error.family, reason=str(error))
    facts = _facts(report)
    try:
        claims: IntelClaims
        if isinstance(report, SgxReport):
            claims = sgx.authenticate(report, endorsements, anchors=anchors, when=when)
        else:
            claims = tdx.authenticate(report, endorsements, anchors=anchors, when=when)
    except EnarxError as error:
        return Outcome(verdict=error.family, reason=str(error), claims=facts, tcb=_statuses(error.checks))
    return Outcome(
        verdict="authentic",
        debug=claims.debug(),
        tcb=claims.statuses(),
        tcb_info_version=claims.tcb_info_version,
        tcb_evaluation_data_number=claims.tcb_evaluation_data_number,
        claims=claims.facts(),
    )


def anchors_of(case: Case, files: Mapping[str, bytes], production: Anchors) -> Anchors:
    """The production anchors, or the root that the case names."""
    if case.anchors is None:
        return production
    return Anchors(case.anchors, {Vendor.INTEL: intel_pem.given(files[case.anchors], case.anchors)})


def collateral(files: Mapping[str, bytes], folder: str) -> IntelCollateral:
    """The collateral in `folder`, by name or else by content; what is not there is empty, and missing to the judge."""
    prefix = folder if folder.endswith("/") else f"{folder}/"
    here = {name.removeprefix(prefix): raw for name, raw in files.items() if name.startswith(prefix)}
    found = {field: next((here[name] for name in names if name in here), b"") for field, names in NAMES.items()}
    return completed({field: as_listed(raw) if field.endswith("_crl") else raw for field, raw in found.items()}, here)


def loose_chain(files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """Certificates beside the quote, for quotes that only name theirs."""
    found: list[bytes] = []
    for name, raw in files.items():
        if "/" not in name and name.startswith("pck") and not name.startswith("pck_crl"):
            try:
                found.extend(one.raw for one in intel_pem.given(raw, name))
            except Malformed:
                continue  # what cannot be read endorses nothing; the quote's own chain is judged anyway
    return tuple(found)


def _facts(report: SgxReport | TdxReport) -> dict[str, Any]:
    """What the quote says of itself, believed or not."""
    body = sgx.facts_of(report.enclave) if isinstance(report, SgxReport) else tdx.facts_of(report.domain)
    return {"version": report.quote.version, **body, **_said_of_platform(report.quote)}


def _said_of_platform(quote: Quote) -> dict[str, Any]:
    if quote.certification_type != PCK_CHAIN:
        return {}
    try:
        leaf = intel_pem.certificates(quote.certification, "PCK chain")[0]
        extension = leaf.extension(intel_pck.EXTENSION)
        return facts_of(intel_pck.parse(extension.value)) if extension else {}
    except EnarxError:
        return {}


def _statuses(checks: tuple[object, ...]) -> dict[str, str | None] | None:
    """The TCB statuses as far as the judge came."""
    prefix = "TCB status: "
    noted = {
        check.name.removeprefix(prefix): str(check.fact)
        for check in checks
        if isinstance(check, Check) and check.name.startswith(prefix)
    }
    if not noted:
        return None
    return {"platform": noted.get("platform"), "tdx_module": noted.get("TDX module"), "qe": noted.get("QE")}
