# SPDX-License-Identifier: Apache-2.0
"""Intel's collateral, authenticated: TCB info, QE identity, and the CRLs of both CAs.

Intel PCS API v4 says who signs what. Nothing of it is used before its signature, its signer's
path and the signer's revocation have been checked; times are checked at every use.
"""

from __future__ import annotations

import binascii
from datetime import datetime
from typing import Any

import msgspec

from enarx.codec.x509 import Certificate, Crl
from enarx.errors import Malformed, Reason, Undetermined
from enarx.evidence import intel_chain, intel_document, intel_qe_identity, intel_signature, intel_tcb_info, intel_terms
from enarx.evidence.check import Check, Trail
from enarx.evidence.endorsement import IntelCollateral
from enarx.evidence.intel_chain import Roots, Signer
from enarx.evidence.intel_qe_identity import QeIdentity
from enarx.evidence.intel_tcb_info import TcbInfo
from enarx.evidence.intel_terms import Terms
from enarx.evidence.memory import Memory

_PCS = "Intel PCS API v4"
_CRL_BEGIN, _CRL_END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


class Collateral(msgspec.Struct, frozen=True):
    """Authenticated collateral. `pck_ca` is the CA whose CRL `pck_crl` is."""

    info: TcbInfo
    identity: QeIdentity
    pck_crl: Crl
    pck_ca: Certificate
    root_crl: Crl
    root: Certificate
    terms: Terms
    checks: tuple[Check, ...]


def authenticate(
    given: IntelCollateral | None, roots: Roots, *, when: datetime, trail: Trail, memory: Memory[Any]
) -> Collateral:
    """Believe collateral because of one of `roots`, as of `when`.

    `Undetermined` if any of it is missing, or out of date; `Unauthentic` if any of it is not Intel's.
    """
    if given is None or is_incomplete(given):
        trail.refuse(
            Reason.COLLATERAL_MISSING,
            "Intel collateral",
            expectation="TCB info, QE identity, PCK CRL and root CRL, each with its chain",
            source=_PCS,
            mend="fetch it from Intel's PCS or a PCCS, and give it with --endorsements DIR",
            family=Undetermined,
        )
    key = ("intel-collateral", given, roots)
    known: Collateral | None = memory.get(key)
    if known is None:
        known = _collateral(given, roots, memory)
        memory.keep(key, known)
    trail.extend(known.checks)
    intel_terms.require_current(known.terms, when=when, trail=trail)
    return known


def is_incomplete(given: IntelCollateral | None) -> bool:
    """There is none, or a part of it is empty."""
    return given is None or not all(getattr(given, name) for name in given.__struct_fields__)


def verified(given: IntelCollateral, roots: Roots, *, memory: Memory[Any]) -> Collateral:
    """As `authenticate`, at no time: to compare collateral that several suppliers gave."""
    return _collateral(given, roots, memory)


def _collateral(given: IntelCollateral, roots: Roots, memory: Memory[Any]) -> Collateral:
    trail = Trail()
    info_signer = intel_chain.authenticate_signer(
        given.tcb_chain, roots, intel_chain.SIGNER, trail=trail, memory=memory, name="TCB info signer"
    )
    identity_signer = intel_chain.authenticate_signer(
        given.qe_chain, roots, intel_chain.SIGNER, trail=trail, memory=memory, name="QE identity signer"
    )
    ca = intel_chain.authenticate_signer(
        given.pck_crl_chain, roots, intel_chain.PCK_CAS, trail=trail, memory=memory, name="PCK CRL issuer"
    )
    root = info_signer.root
    trail.require(
        identity_signer.root == root == ca.root,
        Reason.CHAIN_BROKEN,
        "one root for all collateral",
        source=_PCS,
    )
    root_crl = genuine_crl(given.root_crl, root, trail=trail, name="root CRL")
    pck_crl = genuine_crl(given.pck_crl, ca.certificate, trail=trail, name="PCK CRL")
    _not_revoked(info_signer.certificate, root_crl, trail, "TCB info signer")
    if identity_signer != info_signer:
        _not_revoked(identity_signer.certificate, root_crl, trail, "QE identity signer")
    _not_revoked(ca.certificate, root_crl, trail, "PCK CRL issuer")
    info = intel_tcb_info.parse(signed_value(given.tcb_info, "tcbInfo", info_signer, trail=trail))
    identity = intel_qe_identity.parse(signed_value(given.qe_identity, "enclaveIdentity", identity_signer, trail=trail))
    terms = intel_terms.together(
        "times of the collateral, its signers and CRLs",
        *info_signer.terms,
        *identity_signer.terms,
        *ca.terms,
        intel_terms.of_crl("root CRL", root_crl),
        intel_terms.of_crl("PCK CRL", pck_crl),
        intel_terms.of_document("TCB info", info.issue_date, info.next_update),
        intel_terms.of_document("QE identity", identity.issue_date, identity.next_update),
    )
    return Collateral(info, identity, pck_crl, ca.certificate, root_crl, root, terms, trail.checks())


def genuine_crl(raw: bytes, issuer: Certificate, *, trail: Trail, name: str) -> Crl:
    """The CRL (DER or PEM) that `issuer` signed; its time is not looked at."""
    crl = Crl(_der(raw, name), name)
    trail.require(crl.issuer == issuer.subject, Reason.CHAIN_BROKEN, f"{name} issuer", source="RFC 5280 5.1.2.3")
    trail.require(crl.signed_by(issuer.public_key), Reason.SIGNATURE_INVALID, f"{name} signature", source="RFC 5280 5")
    return crl


def _der(raw: bytes, name: str) -> bytes:
    """A CRL's DER, from DER or PEM."""
    if not raw.lstrip().startswith(_CRL_BEGIN):
        return raw
    body, end, tail = raw.strip().removeprefix(_CRL_BEGIN).partition(_CRL_END)
    try:
        if end and not tail:
            return binascii.a2b_base64(body.translate(None, b" \t\r\n"), strict_mode=True)
    except ValueError:
        pass
    raise Malformed(Reason.SYNTAX, f"{name}: PEM")


def _not_revoked(certificate: Certificate, crl: Crl, trail: Trail, name: str) -> None:
    trail.require(not crl.revokes(certificate.serial), Reason.REVOKED, f"{name} not revoked", source="root CRL")


def signed_value(raw: bytes, name: str, signer: Signer, *, trail: Trail) -> bytes:
    """The value called `name` of a document that `signer` signed."""
    document = intel_document.parse(raw, name)
    key = intel_signature.key_of(signer.certificate)
    trail.require(
        intel_signature.verifies(key, document.signature, document.body),
        Reason.SIGNATURE_INVALID,
        f"{name} signature",
        source=_PCS,
    )
    return document.body
