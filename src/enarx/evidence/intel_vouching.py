# SPDX-License-Identifier: Apache-2.0
"""Who vouches for a quote: from its signature through the quoting enclave to Intel's root.

Intel Quote Verification Library, `QuoteVerifier`, in its order; the numbers in the checks are its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

import msgspec

from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate
from enarx.errors import Reason, Undetermined
from enarx.evidence import intel_chain, intel_collateral, intel_qe_identity, intel_signature, intel_tcb
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.check import Check, Trail
from enarx.evidence.claims import Window
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.intel_chain import PckChain
from enarx.evidence.intel_collateral import Collateral
from enarx.evidence.intel_qe_identity import QE, TD_QE
from enarx.evidence.intel_quote import PCK_CHAIN, TDX, Quote
from enarx.evidence.intel_tcb import Standing
from enarx.evidence.intel_tcb_status import REFUSED, TcbStatus
from enarx.evidence.memory import Memory
from enarx.evidence.tdx_report import TdReport

_QVL = "Intel QVL 4.1.2.4."
_NOTHING = bytes(32)


class Vouched(msgspec.Struct, frozen=True):
    """What is known of the platform once the signatures of a quote hold."""

    chain: PckChain
    collateral: Collateral
    standing: Standing
    window: Window
    checks: tuple[Check, ...]


def vouch(
    quote: Quote,
    domain: TdReport | None,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None,
) -> Vouched:
    """Authenticate a quote; `domain` is the trust domain's report in it (None: SGX).

    Raises `Unauthentic` for what nobody vouches for, a platform that Intel lists as revoked or
    does not list at all included; `Undetermined` where collateral is missing or out of date.
    """
    trail = Trail()
    remembered: Memory[Any] = Memory() if memory is None else memory
    roots = anchors.of(Vendor.INTEL)
    chain = _chain(quote, endorsements, roots, when, trail, remembered)
    if intel_collateral.is_incomplete(endorsements.intel):
        # no answer can come of this; but a forgery is called one
        _quoting_enclave(quote, chain, trail)
        _quoted(quote, trail, remembered)
    collateral = intel_collateral.authenticate(endorsements.intel, roots, when=when, trail=trail, memory=remembered)
    _unrevoked(chain, collateral, trail)
    _about_this_platform(quote, chain, collateral, trail)
    if domain is not None:
        _module(domain, collateral, trail)
    _quoting_enclave(quote, chain, trail)
    _identified(quote, collateral, trail)
    _quoted(quote, trail, remembered)
    found = _standing(quote, domain, chain, collateral, trail)
    window = chain.terms.window.narrowed(collateral.terms.window.not_before, collateral.terms.window.not_after)
    return Vouched(chain, collateral, found, window, trail.checks())


def _chain(
    quote: Quote,
    endorsements: Endorsements,
    roots: intel_chain.Roots,
    when: datetime,
    trail: Trail,
    memory: Memory[Any],
) -> PckChain:
    text = quote.certification
    if quote.certification_type != PCK_CHAIN:
        text = intel_chain.found_among(endorsements.certificates)
        if not text:
            _no_certificate(quote, trail)
    return intel_chain.authenticate_pck(text, roots, when=when, trail=trail, memory=memory)


def _no_certificate(quote: Quote, trail: Trail) -> NoReturn:
    trail.refuse(
        Reason.KEY_MISSING,
        "PCK certificate",
        fact=f"certification data of type {quote.certification_type}",
        expectation="type 5, the PCK certificate with its chain",
        source="Intel SGX DCAP ECDSA Quote Library API, A.4, table 9",
        mend="fetch the certificate that the quote names from Intel's PCS (/pckcert) and give its chain",
        family=Undetermined,
    )


def _unrevoked(chain: PckChain, collateral: Collateral, trail: Trail) -> None:
    trail.require(
        _same_authority(collateral.root, chain.root),
        Reason.CHAIN_BROKEN,
        "one root for quote and collateral",
        source="trust anchors",
    )
    trail.require(
        _same_authority(chain.ca, collateral.pck_ca),
        Reason.COLLATERAL_MISMATCH,
        "PCK CRL is of the PCK CA",
        source=_QVL + "6",
        mend="give the CRL of the CA that issued this PCK certificate: platform or processor",
    )
    for name, serial, crl in (
        ("PCK CA", chain.ca.serial, collateral.root_crl),
        ("PCK certificate", chain.serial, collateral.pck_crl),
    ):
        trail.require(not crl.revokes(serial), Reason.REVOKED, f"{name} not revoked", source="Intel PCK profile 1.4")


def _same_authority(a: Certificate, b: Certificate) -> bool:
    """One name and one key; Intel has issued some of its certificates twice."""
    return a == b or (a.subject == b.subject and a.spki == b.spki)


def _about_this_platform(quote: Quote, chain: PckChain, collateral: Collateral, trail: Trail) -> None:
    info, platform = collateral.info, chain.platform
    wanted = "TDX" if quote.tee_type == TDX else "SGX"
    trail.require(
        info.tee == wanted,
        Reason.COLLATERAL_MISMATCH,
        "TCB info id",
        fact=info.tee,
        expectation=wanted,
        source=_QVL + "9",
    )
    for name, mine, its in (("FMSPC", platform.fmspc, info.fmspc), ("PCE-ID", platform.pceid, info.pceid)):
        trail.require(
            mine == its, Reason.COLLATERAL_MISMATCH, f"TCB info {name}", fact=its, expectation=mine, source=_QVL + "10"
        )
    wanted = TD_QE if quote.tee_type == TDX else QE
    found = collateral.identity.name
    trail.require(
        found == wanted,
        Reason.COLLATERAL_MISMATCH,
        "QE identity id",
        fact=found,
        expectation=wanted,
        source=_QVL + "14",
    )


def _module(domain: TdReport, collateral: Collateral, trail: Trail) -> None:
    module = intel_tcb.module_of(collateral.info, domain.tee_tcb_svn)
    if module is None:
        trail.refuse(
            Reason.COLLATERAL_MISMATCH,
            "TDX module identity",
            fact=f"TDX_{domain.tee_tcb_svn[1]:02X} is not listed",
            source=_QVL + "11",
        )
    trail.require(
        domain.mrsignerseam == module.mrsigner,
        Reason.SIGNER_NOT_ACCEPTED,
        "MRSIGNERSEAM",
        fact=domain.mrsignerseam,
        expectation=module.mrsigner,
        source=_QVL + "11",
    )
    masked = intel_qe_identity.masked(domain.seam_attributes, module.mask)
    trail.require(
        not any(domain.seam_attributes) and masked == module.attributes,
        Reason.FIELD_NOT_ACCEPTED,
        "SEAMATTRIBUTES",
        fact=domain.seam_attributes,
        expectation=module.attributes,
        source=_QVL + "11",
    )


def _quoting_enclave(quote: Quote, chain: PckChain, trail: Trail) -> None:
    trail.require(
        intel_signature.verifies(chain.key, quote.qe_signature, quote.qe_report.raw),
        Reason.SIGNATURE_INVALID,
        "QE report signature",
        expectation="by the PCK key",
        source=_QVL + "12",
    )
    wanted = sha256(quote.attestation_key + quote.qe_auth_data) + _NOTHING
    trail.require(
        quote.qe_report.report_data == wanted,
        Reason.KEY_NOT_BOUND,
        "attestation key in the QE report",
        fact=quote.qe_report.report_data,
        expectation=wanted,
        source=_QVL + "13",
    )


def _identified(quote: Quote, collateral: Collateral, trail: Trail) -> None:
    differs = intel_qe_identity.differing(quote.qe_report, collateral.identity)
    trail.require(
        not differs,
        Reason.QUOTING_ENCLAVE,
        "quoting enclave is Intel's",
        fact=differs,
        expectation="MISCSELECT, ATTRIBUTES, MRSIGNER and ISVPRODID of the QE identity",
        source=_QVL + "15",
    )


def _quoted(quote: Quote, trail: Trail, memory: Memory[Any]) -> None:
    known = ("intel-attestation-key", quote.attestation_key)
    key = memory.get(known)
    if key is None and (key := intel_signature.point(quote.attestation_key)) is not None:
        memory.keep(known, key)
    trail.require(
        key is not None, Reason.KEY_INVALID, "attestation key", expectation="a point of P-256", source=_QVL + "16"
    )
    trail.require(
        intel_signature.verifies(key, quote.signature, quote.signed),
        Reason.SIGNATURE_INVALID,
        "quote signature",
        expectation="by the attestation key",
        source=_QVL + "16",
    )


def _standing(quote: Quote, domain: TdReport | None, chain: PckChain, collateral: Collateral, trail: Trail) -> Standing:
    svns: tuple[bytes, ...] = ()
    if domain is not None:
        svns = (domain.tee_tcb_svn, domain.tee_tcb_svn_2) if domain.tee_tcb_svn_2 else (domain.tee_tcb_svn,)
    platform = chain.platform
    found = intel_tcb.standing(collateral.info, collateral.identity, platform, quote.qe_report.isvsvn, svns)
    for name, status in (("platform", found.platform), ("TDX module", found.tdx_module), ("QE", found.qe)):
        if status is not None:
            fine = status is TcbStatus.UP_TO_DATE
            trail.note(f"TCB status: {name}", status, reason=None if fine else Reason.TCB_STATUS, source=_QVL + "17")
    trail.require(
        found.merged not in REFUSED,
        Reason.REVOKED if found.merged is TcbStatus.REVOKED else Reason.TCB_STATUS,
        "TCB level that Intel vouches for",
        fact=found.merged,
        source=_QVL + "17",
        mend="update the platform: its firmware is below every level that Intel lists",
    )
    if found.advisories:
        trail.note("advisories", " ".join(found.advisories), reason=Reason.ADVISORY, source="TCB info")
    return found
