# SPDX-License-Identifier: Apache-2.0
"""Vectors of AMD: SNP reports, and certificates without a report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from enarx.appraisal import snp as appraisal
from enarx.cli.vectors.content import Content, order_of, sorted_out, unarmoured
from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence.amd_chain import authenticate_intermediate, authenticate_leaf, require_current
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.check import Trail
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.snp import judge as judge_report
from enarx.evidence.snp_report import SIZE
from enarx.evidence.snp_table import GuidOrder


def judge(vector: Vector, case: Case, files: Mapping[str, bytes], *, production: Anchors) -> Outcome:
    """What comes of one case: a report with what lies beside it, or a certificate under its intermediate."""
    when = case.when or datetime.now(UTC)  # noqa: TID251 - a door; only refusals have no time of their own
    try:
        order = _order(vector, files)
        beside = sorted_out(files, leave_out=(vector.evidence, case.anchors), strict=True, order=order)
        anchors = _anchors(case, files, production)
        if vector.kind == "snp-certificate":
            return _certificate(files[vector.evidence], beside, anchors, when)
        return _report(files[vector.evidence], beside, order, anchors, when)
    except EnarxError as error:
        return Outcome(verdict=error.family, reason=str(error))


def _order(vector: Vector, files: Mapping[str, bytes]) -> GuidOrder:
    """By which protocol the table came: a row for AMD's certificates shows it, else the descriptor says so."""
    for raw in (*files.values(), files[vector.evidence][SIZE:]):
        if (found := order_of(raw)) is not None:
            return found
    return GuidOrder.SVSM if "SVSM" in (vector.format or "") else GuidOrder.GHCB


def _anchors(case: Case, files: Mapping[str, bytes], production: Anchors) -> Anchors:
    if case.anchors is None:
        return production
    roots = sorted_out({case.anchors: files[case.anchors]}).certificates
    return Anchors(case.anchors, {Vendor.AMD: tuple(Certificate(raw) for raw in roots)})


def _report(raw: bytes, beside: Content, order: GuidOrder, anchors: Anchors, when: datetime) -> Outcome:
    name = "certificate_table" if order is GuidOrder.GHCB else "svsm_certificate_table"
    parts = {name: beside.table} if beside.table else {}
    if order is GuidOrder.SVSM and len(raw) > SIZE and not parts:  # behind a report, a table is read as GHCB has it
        raw, parts[name] = raw[:SIZE], raw[SIZE:]
    evidence = Evidence(Kind.SNP, raw, parts)
    claims = judge_report(evidence, Endorsements(beside.certificates, beside.crls), anchors=anchors, when=when)
    checks = appraisal.appraise(claims, appraisal.unchecked(), when=when)
    return Outcome(
        verdict="authentic",
        debug=any(check.reason is Reason.DEBUG_ENABLED for check in checks),
        signing_key=str(claims.endorsed.key),
        product=str(claims.product),
        claims=claims.facts(),
    )


def _certificate(raw: bytes, beside: Content, anchors: Anchors, when: datetime) -> Outcome:
    (subject, *more) = unarmoured(raw, strict=True) or [raw]
    if more:
        raise Malformed(Reason.TRAILING_BYTES, "certificate: more than one")
    certificate = Certificate(subject)
    given = tuple(Certificate(one) for one in beside.certificates)
    roots = anchors.of(Vendor.AMD)
    trail = Trail()
    if certificate.is_ca:
        authenticate_intermediate(certificate, given, beside.crls, roots=roots, when=when, trail=trail)
        return Outcome(verdict="authentic")
    chain = authenticate_leaf(certificate, given, beside.crls, roots=roots, trail=trail)
    require_current(chain, when=when, trail=trail)
    said = chain.endorsed
    return Outcome(
        verdict="authentic",
        debug=False,
        signing_key=str(said.key),
        product=str(said.product),
        claims={
            "product_name": said.product_name,
            "hwid": said.hwid.hex() if said.hwid is not None else None,
            "csp_id": said.csp_id,
            "tcb": said.tcb.hex(),
        },
    )
