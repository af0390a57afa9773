"""Upstream's evidence in a request: read, judged like any, and its older forms refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec import der
from enarx.codec.digest import sha256, sha384
from enarx.errors import EnarxError, Faulty, Malformed, Reason, Undetermined
from enarx.evidence.authenticate import authenticate
from enarx.evidence.intel_pem import certificates
from enarx.evidence.kind import Kind
from enarx.evidence.legacy import KVM, SGX, SNP, Legacy, QeIdentity, read
from enarx.evidence.production import production
from enarx.identity import request
from enarx.platform.simulated.sgx import SimulatedSgx
from enarx.platform.simulated.snp import SimulatedAmd, SimulatedSnp
from tests.evidence.snp_world import authority, capture

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
AMD = SimulatedAmd.made(WHEN)
CHIP = SimulatedSnp.made(WHEN, amd=AMD)
MACHINE = SimulatedSgx.made(WHEN)
CRL = AMD.crl(WHEN - timedelta(days=1), WHEN + timedelta(days=1))


def crl_list(*crls: bytes) -> bytes:
    rows = (der.write(der.SEQUENCE, der.write(der.UTF8_STRING, b"https://example.invalid"), one) for one in crls)
    return der.write(der.SEQUENCE, der.write(der.SEQUENCE, *rows))


def snp_value(report: bytes, leaf: bytes, *crls: bytes) -> bytes:
    pair = der.write(der.SEQUENCE, leaf, crl_list(*crls))
    return der.write(der.SEQUENCE, pair, der.write(der.OCTET_STRING, report))


def sgx_value(quote: bytes) -> bytes:
    collateral = MACHINE.endorsements().intel
    assert collateral is not None
    chain = der.write(der.SEQUENCE, *(c.raw for c in certificates(collateral.tcb_chain, "chain")))
    tcb = der.write(der.SEQUENCE, chain, der.write(der.OCTET_STRING, collateral.tcb_info))
    crls = crl_list(collateral.pck_crl, collateral.root_crl)
    return der.write(der.SEQUENCE, der.write(der.OCTET_STRING, quote), crls, tcb)


def qe_identity() -> QeIdentity:
    collateral = MACHINE.endorsements().intel
    assert collateral is not None
    return QeIdentity(collateral.qe_identity, collateral.qe_chain)


def found(oid: str, value: bytes, **more) -> Legacy:
    legacy = read({oid: (False, value)}, **more)
    assert legacy is not None
    return legacy


def requested(oid: str, make, curve: ec.EllipticCurve) -> tuple[Legacy, bytes]:
    """A whole request as a Keep of 0.7 makes it: `make` gets the SubjectPublicKeyInfo."""
    key = ec.generate_private_key(curve)
    spki = request.spki_of(key.public_key())
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), make(spki))
    built = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(extension, critical=False)
    raw = built.sign(key, hashes.SHA384()).public_bytes(request.serialization.Encoding.DER)
    parsed = request.parse(raw)
    legacy = read(parsed.extensions, qe_identity=qe_identity())
    assert legacy is not None
    return legacy, parsed.spki


def test_snp_evidence_in_a_request() -> None:
    legacy, spki = requested(
        SNP,
        lambda spki: snp_value(CHIP.report(sha384(spki)), CHIP.certificates[0], CRL),
        ec.SECP384R1(),
    )
    given = legacy.endorsements
    complete = type(given)((*given.certificates, *CHIP.certificates[1:]), given.crls)
    claims = authenticate(legacy.evidence, complete, anchors=CHIP.anchors(), when=WHEN)
    assert claims.bound == sha384(spki) + bytes(16)
    assert [] == [c for c in claims.checks if c.reason]


def test_sgx_evidence_in_a_request_needs_the_verifiers_qe_identity() -> None:
    legacy, spki = requested(SGX, lambda spki: sgx_value(MACHINE.quote(sha256(spki) + bytes(32))), ec.SECP256R1())
    claims = authenticate(legacy.evidence, legacy.endorsements, anchors=MACHINE.anchors(), when=WHEN)
    assert claims.bound == sha256(spki) + bytes(32)
    without = found(SGX, sgx_value(MACHINE.quote(bytes(64))))
    with pytest.raises(Undetermined):
        authenticate(without.evidence, without.endorsements, anchors=MACHINE.anchors(), when=WHEN)


def test_kvm_evidence_is_none() -> None:
    assert found(KVM, b"").evidence.kind is Kind.NONE
    with pytest.raises(Malformed):
        found(KVM, b"\0")


def test_a_request_without_evidence_has_none() -> None:
    assert read({}) is None
    assert read({"2.5.29.17": (True, b"")}) is None


def test_two_technologies_or_a_critical_extension_are_refused() -> None:
    for extensions, reason in (
        ({KVM: (False, b""), SNP: (False, b"")}, Reason.INCONSISTENT),
        ({KVM: (True, b"")}, Reason.CRITICALITY),
    ):
        with pytest.raises(Malformed) as caught:
            read(extensions)
        assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (SNP, der.write(der.SEQUENCE, CHIP.certificates[0], der.write(der.OCTET_STRING, CHIP.report(b"")))),
        (SGX, MACHINE.quote(bytes(64))),
        (SGX, der.write(der.SEQUENCE, der.write(der.OCTET_STRING, MACHINE.quote(bytes(64))), crl_list())),
    ],
)
def test_forms_of_before_december_2022_are_refused_by_name(oid: str, value: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        found(oid, value)
    assert caught.value.reason is Reason.UNKNOWN_VERSION
    assert "december 2022" in caught.value.subject
    assert "0.7" in caught.value.hint


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (SNP, b""),
        (SNP, snp_value(CHIP.report(b""), CHIP.certificates[0]) + b"\0"),
        (SNP, der.write(der.SEQUENCE, der.write(der.SEQUENCE), der.write(der.OCTET_STRING, b""))),
        (SNP, snp_value(CHIP.report(b""), CHIP.certificates[0], *[CRL] * 9)),
        (SNP, snp_value(CHIP.report(b""), b"\x30\x00", CRL)),
        (SNP, snp_value(CHIP.report(b""), CHIP.certificates[0], b"\x30\x00")),
        (SGX, sgx_value(b"no quote")),
        (SGX, der.write(der.SEQUENCE, der.write(der.OCTET_STRING, b""), crl_list(), der.write(der.SEQUENCE))),
    ],
)
def test_other_bytes_are_malformed(oid: str, value: bytes) -> None:
    with pytest.raises(Malformed):
        found(oid, value, qe_identity=qe_identity())


def test_crls_of_other_products_are_left_out(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "steward-milan-v2-b")
    milan = (evidence_dir / "_amd_ca" / "ARK-Milan-crl-2022-05-09_2023-05-09.der").read_bytes()
    genoa = (evidence_dir / "_amd_ca" / "ARK-Genoa-crl-2022-10-31_2023-10-31.der").read_bytes()
    legacy = found(SNP, snp_value(taken.report, taken.chain[0], genoa, milan))
    assert legacy.endorsements.crls == (milan,)
    when = datetime(2023, 1, 1, tzinfo=UTC)
    claims = authenticate(legacy.evidence, legacy.endorsements, anchors=production(), when=when)
    assert [] == [c for c in claims.checks if c.reason]
    with pytest.raises(Undetermined) as caught:
        authenticate(legacy.evidence, legacy.endorsements, anchors=production(), when=WHEN)
    assert caught.value.reason is Reason.EXPIRED
    assert authority(evidence_dir, "ARK-Milan.pem")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([KVM, SGX, SNP]), st.binary(max_size=300), st.integers(0, 3000))
def test_no_bytes_break_the_reader(oid: str, noise: bytes, at: int) -> None:
    genuine = (
        snp_value(CHIP.report(b""), CHIP.certificates[0], CRL) if oid != SGX else sgx_value(MACHINE.quote(bytes(64)))
    )
    for value in (noise, genuine[:at] + noise + genuine[at + len(noise) :], genuine[:at]):
        try:
            read({oid: (False, value)}, qe_identity=qe_identity())
        except EnarxError as error:
            assert not isinstance(error, Faulty)
