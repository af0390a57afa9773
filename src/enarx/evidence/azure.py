# SPDX-License-Identifier: Apache-2.0
"""Azure confidential VMs: hardware report, paravisor and virtual TPM, each vouching for the next.

The SNP report or TDX quote vouches for the runtime data by its hash in report_data; the runtime
data names the attestation key; the quote by that key says what booted and holds the verifier's
nonce. The guest cannot choose report_data, so nothing else of it counts as an answer.

`Evidence.body` is the HCL report; parts: "td_quote" (TDX, required there), "quote" and
"signature" (both or neither), "pcrs", "event_log", "ak_certificates".
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from enarx.codec.x509 import Certificate, Crl
from enarx.errors import Malformed, Reason, Undetermined
from enarx.evidence import snp, tdx
from enarx.evidence.anchor import Anchors
from enarx.evidence.azure_hcl import HclReport, parse
from enarx.evidence.azure_tdreport import require_same
from enarx.evidence.check import Trail
from enarx.evidence.claims import Claims, Window
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.snp import SnpClaims
from enarx.evidence.tdx import TdxClaims
from enarx.evidence.tpm import Boot, Quote, believed, boot_facts, certificates_in
from enarx.evidence.tpm import parse as parse_quote
from enarx.evidence.tpm_chain import VENDORS, Vouched, leaf_of, vouched
from enarx.evidence.tpm_key import spki_of

PARTS = frozenset({"td_quote", "quote", "signature", "pcrs", "event_log", "ak_certificates"})
HCL = "hcl"
"""The hardware report vouches for the attestation key, and no certificate does."""
SOURCE = "Azure: guest attestation design, HCL report"


class AzureClaims(Claims, frozen=True, kw_only=True):
    """A confidential VM. `bound` is the quote's extraData, empty without a quote.

    tee       what the hardware vouches for: the paravisor, and the runtime data's hash
    boot      what the quote says, or None without one
    authority who vouches for the key: "hcl", or the vendor whose certificate does as well
    ak        SubjectPublicKeyInfo of the attestation key, DER
    vm        `vm-configuration` of the runtime data
    user_data 64 bytes that the guest wrote before the report was made
    """

    tee: SnpClaims | TdxClaims
    boot: Boot | None
    authority: str
    ak: bytes
    vm: dict[str, Any]
    user_data: bytes

    def facts(self) -> dict[str, Any]:
        """The hardware's claims and the quote's, by their names in the vectors."""
        quoted = {} if self.boot is None else boot_facts(self.boot)
        own = {
            "authority": self.authority,
            "ak": hashlib.sha256(self.ak).hexdigest(),
            "user_data": self.user_data.hex(),
        }
        return {**self.tee.facts(), **quoted, **own, "vm": dict(self.vm)}

    def debug(self) -> bool:
        """As the hardware says."""
        return self.tee.debug()


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> AzureClaims:
    """Parse and authenticate an HCL report with its parts."""
    report = parse(evidence.body)
    if report.kind is not evidence.kind:
        raise Malformed(Reason.INCONSISTENT, f"HCL report of kind {report.kind}, sent as {evidence.kind}")
    own = PARTS if evidence.kind is Kind.AZURE_TDX_VTPM else PARTS - {"td_quote"}
    if unknown := evidence.parts.keys() - own:
        raise Malformed(Reason.UNKNOWN_KEY, f"{evidence.kind} evidence: part {min(unknown)!r}")
    return authenticate(report, evidence.parts, endorsements, anchors=anchors, when=when, memory=memory)


def authenticate(
    report: HclReport,
    parts: dict[str, bytes],
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> AzureClaims:
    """Claims of the machine, from the hardware report up to the quote."""
    quote = _quote(report, parts)
    certificates = certificates_in(parts.get("ak_certificates", b""))
    above, below = _split(endorsements, certificates, anchors)
    trail = Trail()
    tee = _hardware(report, parts, below, anchors=anchors, when=when, memory=memory)
    trail.extend(tee.checks)
    if isinstance(tee, TdxClaims):
        require_same(report.hardware, tee.domain, trail)
    _require_hashed(report, tee.bound, trail)
    boot = believed(quote, report.ak, trail=trail) if quote else None
    found = Vouched(HCL, None)
    if certificates:
        _require_same_key(report, certificates, trail)
        found = _vouched(report, certificates, above, anchors=anchors, when=when, trail=trail, memory=memory)
    return AzureClaims(
        kind=report.kind,
        anchors=anchors.name,
        bound=boot.extra_data if boot else b"",
        launch=tee.launch,
        window=_common(tee.window, found.window),
        checks=trail.checks(),
        tee=tee,
        boot=boot,
        authority=found.authority,
        ak=report.ak.spki(),
        vm=report.vm,
        user_data=report.user_data,
    )


def _require_hashed(report: HclReport, report_data: bytes, trail: Trail) -> None:
    trail.require(
        report_data == report.expected_report_data(),
        Reason.KEY_NOT_BOUND,
        "runtime data is what report_data is the hash of",
        fact=report_data,
        expectation=report.expected_report_data(),
        source=SOURCE,
    )


def _split(
    endorsements: Endorsements, certificates: tuple[Certificate, ...], anchors: Anchors
) -> tuple[tuple[bytes, ...], Endorsements]:
    """The CRLs of the attestation key's issuers, and the endorsements without them, for the hardware."""
    issuers = {one.subject for one in certificates} | {root.subject for v in VENDORS for root in anchors.of(v)}
    above = tuple(raw for raw in endorsements.crls if Crl(raw).issuer in issuers)
    below = tuple(raw for raw in endorsements.crls if raw not in above)
    return above, msgspec.structs.replace(endorsements, crls=below)


def _quote(report: HclReport, parts: dict[str, bytes]) -> Quote | None:
    """The vTPM's quote, if there is one; without it, no part of it either."""
    if "quote" not in parts:
        if left := sorted({"signature", "pcrs", "event_log"} & parts.keys()):
            raise Malformed(Reason.MISSING, f"{report.kind} evidence: {left[0]} without a quote")
        return None
    beside: dict[str, bytes] = {name: parts[name] for name in ("signature", "pcrs", "event_log") if name in parts}
    return parse_quote(Evidence(report.kind, parts["quote"], beside))


def _hardware(
    report: HclReport,
    parts: dict[str, bytes],
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None,
) -> SnpClaims | TdxClaims:
    if report.kind is Kind.AZURE_SNP_VTPM:
        claims = snp.authenticate(snp.parse(report.hardware), endorsements, anchors=anchors, when=when, memory=memory)
        return _of_paravisor(claims)
    if "td_quote" not in parts:
        mend = "ask the instance metadata service for a quote of the TDREPORT"
        raise Undetermined(Reason.ENDORSEMENT_MISSING, "HCL report: TD quote", hint=mend)
    quote = tdx.parse(parts["td_quote"])
    return tdx.authenticate(quote, endorsements, anchors=anchors, when=when, memory=memory)


def _of_paravisor(claims: SnpClaims) -> SnpClaims:
    """The report was asked for at VMPL 0, where the paravisor is; a guest below could choose report_data."""
    trail = Trail()
    trail.extend(claims.checks)
    trail.require(
        claims.report.vmpl == 0,
        Reason.VMPL,
        "HCL report: VMPL of the paravisor",
        fact=claims.report.vmpl,
        expectation=0,
        source=SOURCE,
    )
    return msgspec.structs.replace(claims, checks=trail.checks())


def _require_same_key(report: HclReport, certificates: tuple[Certificate, ...], trail: Trail) -> None:
    leaf = leaf_of(certificates)
    trail.require(
        leaf is not None and spki_of(leaf.public_key) == report.ak.spki(),
        Reason.KEY_NOT_BOUND,
        "attestation key certificate is for the key in the runtime data",
        fact=leaf.name if leaf else "no leaf",
        source=SOURCE,
    )


def _vouched(
    report: HclReport,
    certificates: tuple[Certificate, ...],
    crls: tuple[bytes, ...],
    *,
    anchors: Anchors,
    when: datetime,
    trail: Trail,
    memory: Memory[Any] | None,
) -> Vouched:
    """Who vouches for the key beside the hardware: nobody, where of the chain only the leaf came along."""
    (leaf, *more) = certificates
    if not more and not any(root.subject == leaf.issuer for vendor in VENDORS for root in anchors.of(vendor)):
        trail.note(
            "attestation key chain",
            "a certificate without its issuers: not looked at",
            reason=Reason.ENDORSEMENT_MISSING,
            source=SOURCE,
            mend="give the certificates of its issuers",
        )
        return Vouched(HCL, None)
    return vouched(report.ak, certificates, crls, anchors=anchors, when=when, trail=trail, memory=memory)


def _common(first: Window | None, second: Window | None) -> Window | None:
    if first is None or second is None:
        return first or second
    return first.narrowed(second.not_before, second.not_after)
