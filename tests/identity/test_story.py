"""A Keep gets its identity from a Steward that runs beside it, or a reason why not."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from enarx.codec.x509 import from_pem
from enarx.errors import Malformed, Misused, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.evidence.endorsement import NOTHING
from enarx.identity.authority import Authority
from enarx.identity.ca import service_certificate
from enarx.identity.client import StewardClient
from enarx.identity.request import make
from enarx.identity.signer import KeySigner
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import TRUST_DOMAIN, Keep, Pki, Serving

NOW = datetime.now(UTC)


def test_a_keep_gets_an_identity_for_its_key_and_launch(keep: Keep) -> None:
    identity = keep.identity()
    expected = f"spiffe://{TRUST_DOMAIN}/keep/{keep.launch.package.hex()}/{keep.launch.digest().hex()}"
    assert expected == str(identity.spiffe_id)


def test_its_certificate_has_the_profile(keep: Keep, pki: Pki) -> None:
    identity = keep.identity()
    leaf = x509.load_der_x509_certificate(identity.chain[0].raw)
    of = leaf.extensions.get_extension_for_class
    names = of(x509.SubjectAlternativeName).value
    assert [str(identity.spiffe_id)] == names.get_values_for_type(x509.UniformResourceIdentifier)
    assert names.get_values_for_type(x509.DNSName) == ["keep.test"]
    assert (of(x509.BasicConstraints).critical, of(x509.BasicConstraints).value.ca) == (True, False)
    assert of(x509.KeyUsage).value.digital_signature
    assert not of(x509.KeyUsage).value.key_cert_sign
    assert {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} == set(of(x509.ExtendedKeyUsage).value)
    ca = x509.load_der_x509_certificate(pki.ca.path[0].raw)
    issuer_key = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert issuer_key == of(x509.AuthorityKeyIdentifier).value.key_identifier
    assert len(of(x509.SubjectKeyIdentifier).value.digest) == 20
    cmw = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.35"))
    assert not cmw.critical
    assert identity.ear.encode() in cmw.value.value
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(hours=24, minutes=2)
    assert 100 < leaf.serial_number.bit_length() <= 159
    said = leaf.subject.rfc4514_string()
    assert "OU=snp simulated" in said
    assert f"measurement {'00' * 48}" in said


def openssl_accepts(*chain: bytes) -> None:
    """OpenSSL's own path validation, name constraints included; raises when it says no."""
    leaf, *others = (crypto.X509.from_cryptography(x509.load_der_x509_certificate(one)) for one in chain)
    store = crypto.X509Store()
    store.add_cert(others[-1])
    crypto.X509StoreContext(store, leaf, others[:-1]).verify_certificate()


def test_its_chain_holds_for_openssl(keep: Keep) -> None:
    openssl_accepts(*(one.raw for one in keep.identity().chain))


def test_a_ca_of_one_trust_domain_cannot_name_another(pki: Pki) -> None:
    for domain, allowed in ((TRUST_DOMAIN, True), ("other.test", False)):
        authority = Authority(pki.ca.path, KeySigner(pki.ca.key), trust_domain=domain)
        chain, _ = service_certificate(authority, ["localhost"], when=NOW, serial=7)
        raw = [one.raw for one in from_pem(chain, "chain")]
        if allowed:
            openssl_accepts(*raw)
        else:
            with pytest.raises(crypto.X509StoreContextError, match="permitted subtree violation"):
                openssl_accepts(*raw)


def test_a_nonce_is_good_once(keep: Keep) -> None:
    with keep.client() as steward:
        nonce = steward.nonce(keep.launch.digest())
        asked = {
            "request": keep.request,
            "evidence": keep.evidence(nonce),
            "endorsements": keep.chip.endorsements(),
            "nonce": nonce,
            "launch": keep.launch,
        }
        steward.attest(**asked)
        with pytest.raises(Misused) as refused:
            steward.attest(**asked)
    assert refused.value.reason is Reason.NONCE_UNKNOWN


def test_a_refused_request_spends_its_nonce_too(keep: Keep) -> None:
    with keep.client() as steward:
        nonce = steward.nonce(keep.launch.digest())
        good = {
            "request": keep.request,
            "evidence": keep.evidence(nonce),
            "endorsements": keep.chip.endorsements(),
            "nonce": nonce,
            "launch": keep.launch,
        }
        with pytest.raises(Undetermined):
            steward.attest(**{**good, "endorsements": NOTHING})
        with pytest.raises(Misused) as refused:
            steward.attest(**good)
    assert refused.value.reason is Reason.NONCE_UNKNOWN


def asked(keep: Keep, **changes: object) -> None:
    with keep.client() as steward:
        nonce = changes.pop("nonce", None) or steward.nonce(changes.pop("promised", keep.launch.digest()))
        good = {
            "request": keep.request,
            "evidence": keep.evidence(nonce, **changes.pop("fields", {})),
            "endorsements": keep.chip.endorsements(),
            "nonce": nonce,
            "launch": keep.launch,
        }
        steward.attest(**{**good, **changes})


def test_a_nonce_of_nobody_is_refused(keep: Keep) -> None:
    with pytest.raises(Misused) as refused:
        asked(keep, nonce=secrets.token_bytes(32))
    assert refused.value.reason is Reason.NONCE_UNKNOWN


def test_the_evidence_of_one_keep_with_the_key_of_another_is_refused(keep: Keep) -> None:
    with pytest.raises(Unacceptable) as refused:
        asked(keep, request=make(ec.generate_private_key(ec.SECP256R1())))
    assert refused.value.reason is Reason.BINDING_MISMATCH
    assert any(check.reason is Reason.BINDING_MISMATCH for check in refused.value.checks)


def test_another_launch_document_than_the_nonces_is_refused(keep: Keep, chip: SimulatedSnp) -> None:
    other = Keep(chip, keep.pin, keep.url)
    with pytest.raises(Unacceptable) as refused:
        asked(keep, launch=other.launch)
    assert refused.value.reason is Reason.LAUNCH_MISMATCH


def test_evidence_that_names_another_launch_is_refused(keep: Keep) -> None:
    with pytest.raises(Unacceptable) as refused:
        asked(keep, fields={"host_data": bytes(31) + b"\1"})
    assert refused.value.reason is Reason.LAUNCH_MISMATCH


def test_a_keep_with_the_debug_bit_is_refused_with_every_finding(keep: Keep) -> None:
    with pytest.raises(Unacceptable) as refused:
        asked(keep, fields={"policy": 0xB0000})
    assert refused.value.reason is Reason.DEBUG_ENABLED
    assert len(refused.value.checks) > 1


def test_a_request_whose_signature_does_not_hold_is_refused(keep: Keep) -> None:
    broken = bytearray(keep.request)
    broken[-1] ^= 1
    with pytest.raises(Unauthentic) as refused:
        asked(keep, request=bytes(broken))
    assert refused.value.reason is Reason.SIGNATURE_INVALID


def test_evidence_of_a_processor_that_nobody_here_trusts_is_refused(keep: Keep) -> None:
    stranger = Keep(SimulatedSnp.made(NOW), keep.pin, keep.url)
    with pytest.raises(Unauthentic) as refused:
        stranger.identity()
    assert refused.value.reason is Reason.UNKNOWN_ANCHOR


def test_bytes_that_are_no_evidence_are_malformed(keep: Keep) -> None:
    from enarx.evidence.envelope import Evidence
    from enarx.evidence.kind import Kind

    with pytest.raises(Malformed):
        asked(keep, evidence=(Evidence(Kind.SNP, b"\0" * 100),))


def test_a_steward_whose_ca_is_not_the_pinned_one_is_not_believed(keep: Keep) -> None:
    with pytest.raises(Unauthentic) as refused:
        StewardClient(keep.url, ca_pins=[bytes(32)])
    assert refused.value.reason is Reason.UNKNOWN_ANCHOR


def test_the_log_has_no_nonce_and_names_technology_and_verdict(keep: Keep, steward: Serving) -> None:
    with keep.client() as client:
        nonce = client.nonce(keep.launch.digest())
        client.attest(
            request=keep.request,
            evidence=keep.evidence(nonce),
            endorsements=keep.chip.endorsements(),
            nonce=nonce,
            launch=keep.launch,
        )
    text = steward.log.read_text()
    assert nonce.hex() not in text
    assert any((one.get("technology"), one.get("verdict")) == ("snp simulated", "accepted") for one in steward.lines())
