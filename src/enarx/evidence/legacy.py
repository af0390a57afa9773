# SPDX-License-Identifier: Apache-2.0
"""Evidence as Enarx 0.7 put it into a certification request: one extension a technology.

Three OIDs, no nonce, bound to the bare key. What is read here goes to the same judges as any
evidence; nothing about it is believed because of where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from enarx.codec.der import BIT_STRING, OCTET_STRING, SEQUENCE, UTF8_STRING, Der
from enarx.codec.x509 import Certificate, Crl
from enarx.errors import Malformed, Reason
from enarx.evidence import intel_pem, intel_quote
from enarx.evidence.amd_intermediates import intermediates
from enarx.evidence.amd_roots import roots
from enarx.evidence.endorsement import NOTHING, Endorsements, IntelCollateral
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind

ARC = "1.3.6.1.4.1.58270.1"
KVM, SGX, SNP = f"{ARC}.1", f"{ARC}.2", f"{ARC}.3"
MAX_CRLS = 8
PCK_CHAIN = 5
"""Certification data that is the PCK certificate's chain in PEM."""


class Legacy(msgspec.Struct, frozen=True):
    """Evidence with what came with it. The binding is that of `binding = "legacy-spki"`."""

    evidence: Evidence
    endorsements: Endorsements


class QeIdentity(msgspec.Struct, frozen=True):
    """What upstream never asked for: the verifier brings it (Intel PCS, `/qe/identity`)."""

    document: bytes
    chain: bytes


def read(extensions: Mapping[str, tuple[bool, bytes]], *, qe_identity: QeIdentity | None = None) -> Legacy | None:
    """The evidence among a request's extensions, or None: there is none.

    extensions   dotted OID -> (critical, bytes inside the OCTET STRING)
    qe_identity  without it SGX evidence has no collateral, and its judge says Undetermined

    `Malformed` for more than one technology, for a critical extension (upstream refused it),
    and for the forms of before December 2022, which had no revocation lists.
    """
    found = sorted(oid for oid in extensions if oid in (KVM, SGX, SNP))
    if not found:
        return None
    if len(found) > 1:
        raise Malformed(Reason.INCONSISTENT, "request: evidence of several technologies")
    critical, value = extensions[found[0]]
    if critical:
        raise Malformed(Reason.CRITICALITY, f"request: extension {found[0]}")
    match found[0]:
        case oid if oid == SNP:
            return _snp(value)
        case oid if oid == SGX:
            return _sgx(value, qe_identity)
        case _:
            return _kvm(value)


def _kvm(value: bytes) -> Legacy:
    """Nothing: the Keep has no TEE, and its evidence is bound to nothing."""
    if value:
        raise Malformed(Reason.TRAILING_BYTES, "request: kvm evidence is empty")
    return Legacy(Evidence(Kind.NONE, bytes(64)), NOTHING)


def _snp(value: bytes) -> Legacy:
    """SEQUENCE { SEQUENCE { vcek Certificate, crl CrlList }, report OCTET STRING }."""
    outer = _sequence(value, "snp evidence")
    pair = outer.sequence("endorsements")
    vcek = pair.raw("vcek")
    second = pair.raw("crl")
    if pair.peek() == BIT_STRING:  # the first element is the certificate itself
        raise _old("snp evidence without revocation lists")
    pair.done()
    report = outer.element(OCTET_STRING, "report")
    outer.done()
    crls = _crls(second, "snp evidence")
    given = Endorsements(certificates=(vcek,), crls=_of_this_product(vcek, crls))
    return Legacy(Evidence(Kind.SNP, report), given)


def _of_this_product(vcek: bytes, crls: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Upstream sent the lists of every AMD root with each report: those of other products are left out."""
    issuer = Certificate(vcek).issuer
    mine = {one.issuer for one in intermediates() if one.subject == issuer}
    foreign = {root.subject for root in roots()} - mine
    return tuple(crl for crl in crls if Crl(crl).issuer not in foreign)


def _sgx(value: bytes, qe_identity: QeIdentity | None) -> Legacy:
    """SEQUENCE { quote OCTET STRING, crl CrlList, tcb SEQUENCE { SEQUENCE OF Certificate, OCTET STRING } }."""
    if value[:1] != bytes((SEQUENCE,)):
        raise _old("sgx evidence that is a bare quote")
    outer = _sequence(value, "sgx evidence")
    quote = outer.element(OCTET_STRING, "quote")
    crls = _crls(outer.raw("crl"), "sgx evidence")
    if outer.peek() is None:
        raise _old("sgx evidence without tcb information")
    tcb = outer.sequence("tcb")
    outer.done()
    chain = tcb.sequence("certificates")
    certificates = []
    while chain.peek() is not None:
        certificates.append(chain.raw("certificate"))
    document = tcb.element(OCTET_STRING, "document")
    tcb.done()
    evidence = Evidence(Kind.SGX, quote)
    if qe_identity is None:
        return Legacy(evidence, NOTHING)
    return Legacy(evidence, Endorsements(intel=_collateral(quote, crls, tuple(certificates), document, qe_identity)))


def _collateral(
    quote: bytes, crls: tuple[bytes, ...], tcb_chain: tuple[bytes, ...], document: bytes, qe_identity: QeIdentity
) -> IntelCollateral | None:
    """Upstream's parts in PCS's shape: the PCK CA's list and the root's are told apart by issuer."""
    said = intel_quote.parse(quote, intel_quote.SGX, "sgx evidence")
    if said.certification_type != PCK_CHAIN:
        raise Malformed(Reason.UNKNOWN_VALUE, f"sgx evidence: certification data of type {said.certification_type}")
    path = intel_pem.certificates(said.certification, "sgx evidence")
    by_issuer = {Crl(raw).issuer: raw for raw in crls}
    pck_crl, root_crl = by_issuer.get(path[0].issuer), by_issuer.get(path[-1].subject)
    if pck_crl is None or root_crl is None:
        return None
    return IntelCollateral(
        tcb_info=document,
        tcb_chain=b"".join(map(intel_pem.armour, tcb_chain)),
        qe_identity=qe_identity.document,
        qe_chain=qe_identity.chain,
        pck_crl=pck_crl,
        pck_crl_chain=b"".join(intel_pem.armour(one.raw) for one in path[1:]),
        root_crl=root_crl,
    )


def _crls(raw: bytes, what: str) -> tuple[bytes, ...]:
    """CrlList ::= SEQUENCE { SEQUENCE OF SEQUENCE { url UTF8String, crl CertificateList } }. URLs are not used."""
    outer = _sequence(raw, what)
    listed = outer.sequence("crls")
    outer.done()
    found: list[bytes] = []
    while listed.peek() is not None:
        if len(found) == MAX_CRLS:
            raise Malformed(Reason.TOO_LARGE, f"{what}: more than {MAX_CRLS} revocation lists")
        entry = listed.sequence("crl")
        entry.element(UTF8_STRING, "url")
        found.append(entry.raw("crl"))
        entry.done()
    return tuple(found)


def _sequence(raw: bytes, what: str) -> Der:
    """A reader of the one SEQUENCE that `raw` is."""
    whole = Der(raw, what)
    inner = whole.sequence("contents")
    whole.done()
    return inner


def _old(what: str) -> Malformed:
    return Malformed(
        Reason.UNKNOWN_VERSION,
        f"{what}, a form of before december 2022",
        hint="it carries nothing to judge its age by: use a keep of Enarx 0.7 or later",
    )
