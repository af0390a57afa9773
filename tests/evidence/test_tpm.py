"""TPM quotes: what the key signed, who vouches for the key, and what the registers mean."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import tpm, tpm_attest, tpm_key
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.production import production
from enarx.evidence.tpm_chain import EK_CERTIFICATE
from enarx.platform.simulated import boot_log, pki
from enarx.platform.simulated.tpm import SimulatedTpm

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TPM = SimulatedTpm.made(NOW)
RSA = SimulatedTpm.made(NOW, key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
NONCE = b"nonce".ljust(32, b"\1")
NAMED = {"ak_certificates": None}


def judge(evidence: Evidence, *, of: SimulatedTpm = TPM, when: datetime = NOW, **more: Any) -> tpm.TpmClaims:
    anchors = more.pop("anchors", of.anchors())
    return tpm.judge(evidence, more.pop("endorsements", NOTHING), anchors=anchors, when=when, **more)


def refused(family: type[EnarxError], evidence: Evidence, **more: Any) -> Reason:
    with pytest.raises(family) as error:
        judge(evidence, **more)
    assert type(error.value) is family
    return error.value.reason


@pytest.mark.parametrize("of", [TPM, RSA], ids=["ecc", "rsa"])
def test_a_genuine_quote_says_what_booted(of: SimulatedTpm) -> None:
    claims = judge(of.evidence(NONCE), of=of)
    assert (claims.bound, claims.authority, claims.anchors) == (NONCE, "tpm", "simulated")
    assert claims.boot.pcrs == {"sha-256": of.pcrs["sha-256"]}
    assert (claims.boot.replayed, claims.boot.secure_boot) == (frozenset(range(8)), True)
    assert claims.facts()["extra_data"] == NONCE.hex()
    assert not claims.debug()
    assert claims.window.not_after == NOW + timedelta(days=1)


def test_production_anchors_never_believe_a_simulated_tpm() -> None:
    assert refused(Unauthentic, TPM.evidence(NONCE), anchors=production()) is Reason.UNKNOWN_ANCHOR


def signature_forms(of: SimulatedTpm, attest: bytes) -> dict[str, bytes]:
    if isinstance(of.key, rsa.RSAPrivateKey):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        value = of.key.sign(attest, pss, hashes.SHA256())
        return {
            "bare RSASSA": of.key.sign(attest, padding.PKCS1v15(), hashes.SHA256()),
            "RSAPSS": struct.pack(">HHH", 0x16, 0x0B, len(value)) + value,
        }
    signed = of.key.sign(attest, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(signed)
    return {"DER": signed, "r and s": r.to_bytes(32, "big") + s.to_bytes(32, "big")}


@pytest.mark.parametrize("of", [TPM, RSA], ids=["ecc", "rsa"])
@pytest.mark.parametrize("form", [0, 1])
def test_bare_signatures_are_read_too(of: SimulatedTpm, form: int) -> None:
    attest = of.quote(NONCE)
    signature = [*signature_forms(of, attest).values()][form]
    parts = {**of.parts(attest), "signature": signature}
    del parts["ak_public"]  # which would say that RSASSA is the only scheme
    assert judge(Evidence(Kind.TPM, attest, parts), of=of).bound == NONCE


def test_a_key_signs_with_its_own_scheme_only() -> None:
    attest = RSA.quote(NONCE)
    parts = {**RSA.parts(attest), "signature": signature_forms(RSA, attest)["RSAPSS"]}
    assert refused(Unauthentic, Evidence(Kind.TPM, attest, parts), of=RSA) is Reason.ALGORITHM


@pytest.mark.parametrize("of", [TPM, RSA], ids=["ecc", "rsa"])
def test_the_key_may_come_in_any_form_or_in_its_certificate(of: SimulatedTpm) -> None:
    public = of.key.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    tpmt = of.public()
    forms = [
        public.public_bytes(serialization.Encoding.PEM, spki),
        public.public_bytes(serialization.Encoding.DER, spki),
        struct.pack(">H", len(tpmt)) + tpmt,
        None,
    ]
    for form in forms:
        assert judge(of.evidence(NONCE, parts={"ak_public": form}), of=of).authority == "tpm"


def test_a_key_that_the_caller_names_needs_no_certificate_and_no_other_key_is_believed() -> None:
    spki = tpm_key.spki_of(TPM.key.public_key())
    evidence = TPM.evidence(NONCE, parts=NAMED)
    assert judge(evidence, anchors=Anchors("named", {}, (spki,))).authority == "named"
    assert refused(Undetermined, evidence) is Reason.KEY_MISSING
    assert refused(Undetermined, evidence, anchors=Anchors("named", {}, (spki + b"\0",))) is Reason.KEY_MISSING


def test_a_named_key_is_believed_with_certificates_of_nobody_known_and_known_ones_come_first() -> None:
    spki = tpm_key.spki_of(TPM.key.public_key())
    assert judge(TPM.evidence(NONCE), anchors=Anchors("named", {}, (spki,))).authority == "named"
    both = msgspec.structs.replace(TPM.anchors(), keys=(spki,))
    assert judge(TPM.evidence(NONCE), anchors=both).authority == "tpm"


def test_an_endorsement_key_certificate_alone_vouches_for_nothing() -> None:
    extensions = [
        (pki.usage("digital_signature"), True),
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier(EK_CERTIFICATE)]), False),
    ]
    of = SimulatedTpm.made(NOW, extensions=extensions)
    with pytest.raises(Undetermined) as error:
        judge(of.evidence(NONCE), of=of)
    assert error.value.reason is Reason.KEY_MISSING
    assert any(check.name.startswith("endorsement key certificate") for check in error.value.checks)


@pytest.mark.parametrize(
    "extensions",
    [
        [(pki.usage("digital_signature"), True)],
        [
            (pki.usage("digital_signature"), True),
            (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), False),
        ],
        [
            (pki.usage("key_encipherment"), True),
            (x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.23.133.8.3")]), False),
        ],
    ],
    ids=["no purpose", "a server", "encipherment"],
)
def test_a_certificate_for_another_use_is_not_believed(extensions: list[tuple[x509.ExtensionType, bool]]) -> None:
    of = SimulatedTpm.made(NOW, extensions=extensions)
    assert refused(Unauthentic, of.evidence(NONCE), of=of) is Reason.CERTIFICATE_PROFILE


def test_the_certificate_of_another_key_does_not_help() -> None:
    other = SimulatedTpm.made(NOW)
    evidence = TPM.evidence(NONCE, parts={"ak_certificates": other.certificates()})
    assert refused(Undetermined, evidence, of=other) is Reason.KEY_MISSING
    assert refused(Unauthentic, TPM.evidence(NONCE, parts={"ak_public": other.public()})) is Reason.SIGNATURE_INVALID


def test_issuers_may_come_as_endorsements_and_in_any_order() -> None:
    parts = {"ak_certificates": TPM.certificate}
    given = Endorsements((pki.der(TPM.root.certificate), pki.der(TPM.issuer.certificate)))
    assert judge(TPM.evidence(NONCE, parts=parts), endorsements=given).authority == "tpm"
    assert refused(Unauthentic, TPM.evidence(NONCE, parts=parts)) is Reason.UNKNOWN_ANCHOR


@pytest.mark.parametrize("missing", [tpm_key.RESTRICTED, tpm_key.SIGN, tpm_key.FIXED_TPM, tpm_key.FIXED_PARENT, 1 << 5])
def test_a_key_that_lacks_an_attribute_is_no_attestation_key(missing: int) -> None:
    of = msgspec.structs.replace(TPM, attributes=tpm_key.ATTESTATION & ~missing)
    assert refused(Unauthentic, of.evidence(NONCE)) is Reason.KEY_INVALID


def test_a_key_that_decrypts_is_no_attestation_key() -> None:
    of = msgspec.structs.replace(TPM, attributes=tpm_key.ATTESTATION | tpm_key.DECRYPT)
    assert refused(Unauthentic, of.evidence(NONCE)) is Reason.KEY_INVALID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"magic": 0xFF544346}, Reason.UNKNOWN_KIND),
        ({"type": 0x8017}, Reason.UNKNOWN_KIND),
        ({"safe": 2}, Reason.UNKNOWN_VALUE),
        ({"selections": (("sha-256", (0,)), ("sha-256", (1,)))}, Reason.DUPLICATE),
    ],
    ids=str,
)
def test_what_is_no_quote_is_malformed_whoever_signed_it(changes: dict[str, Any], reason: Reason) -> None:
    assert refused(Malformed, TPM.evidence(NONCE, **changes)) is reason


@pytest.mark.parametrize("selections", [(), (("sha-256", ()),), (("sha-1", (0, 1)),)])
def test_a_quote_over_no_register_of_a_bank_that_counts_is_not_believed(selections: Any) -> None:
    assert refused(Unauthentic, TPM.evidence(NONCE, selections=selections)) is Reason.ALGORITHM


def test_of_several_banks_the_digest_covers_all_and_sha_1_says_nothing() -> None:
    both = (("sha-1", (0, 7)), ("sha-384", (4,)))
    claims = judge(TPM.evidence(NONCE, selections=both))
    assert claims.boot.pcrs == {"sha-384": {4: TPM.pcrs["sha-384"][4]}}
    values = json.loads(TPM.pcr_values())
    values["sha1"]["7"] = "11" * 20
    wrong = {"pcrs": json.dumps(values).encode()}
    assert refused(Unauthentic, TPM.evidence(NONCE, selections=both, parts=wrong)) is Reason.DIGEST_MISMATCH


def test_a_signature_with_sha_1_is_not_believed() -> None:
    attest = RSA.quote(NONCE)
    value = RSA.key.sign(attest, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    parts = {**RSA.parts(attest), "signature": struct.pack(">HHH", 0x14, 4, len(value)) + value}
    assert refused(Unauthentic, Evidence(Kind.TPM, attest, parts), of=RSA) is Reason.ALGORITHM


def test_a_short_rsa_key_is_not_believed() -> None:
    weak = SimulatedTpm.made(NOW, key=rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505
    parts = {"ak_certificates": None}
    anchors = Anchors("named", {}, (tpm_key.spki_of(weak.key.public_key()),))
    assert refused(Unauthentic, weak.evidence(NONCE, parts=parts), of=weak, anchors=anchors) is Reason.ALGORITHM


def test_register_values_other_than_those_quoted_are_not_believed() -> None:
    values = json.loads(TPM.pcr_values())
    values["sha256"]["4"] = "11" * 32
    parts = {"pcrs": json.dumps(values).encode(), "event_log": None}
    assert refused(Unauthentic, TPM.evidence(NONCE, parts=parts)) is Reason.DIGEST_MISMATCH
    del values["sha256"]["4"]
    parts["pcrs"] = json.dumps(values).encode()
    assert refused(Malformed, TPM.evidence(NONCE, parts=parts)) is Reason.MISSING


def test_registers_that_were_not_selected_are_not_claimed() -> None:
    claims = judge(TPM.evidence(NONCE, selections=(("sha-256", (0, 7)),)))
    assert set(claims.boot.pcrs["sha-256"]) == {0, 7}
    assert claims.boot.replayed == {0, 7}


def test_without_values_nothing_is_said_of_registers() -> None:
    claims = judge(TPM.evidence(NONCE, parts={"pcrs": None}))
    assert (claims.boot.pcrs, claims.boot.replayed, claims.boot.secure_boot) == ({}, frozenset(), None)


def test_a_log_that_does_not_lead_to_a_firmware_register_is_refused_by_its_name() -> None:
    other = boot_log.written(boot_log.usual(loader=b"another loader"))
    with pytest.raises(Unauthentic) as error:
        judge(TPM.evidence(NONCE, parts={"event_log": other}))
    assert error.value.reason is Reason.EVENT_LOG_MISMATCH
    assert "PCR 4 up to event 12 (EV_EFI_BOOT_SERVICES_APPLICATION)" in error.value.subject


def test_of_a_log_whose_data_lies_nothing_is_taken_and_the_event_is_named() -> None:
    honest = boot_log.usual(secure=False)
    of = SimulatedTpm.made(NOW, secure=False)
    lies = [
        boot_log.Measurement(7, one.kind, boot_log.secure_boot(on=True).data, measured=one.data)
        if one == boot_log.secure_boot(on=False)
        else one
        for one in honest
    ]
    assert judge(of.evidence(NONCE), of=of).boot.secure_boot is False
    claims = judge(of.evidence(NONCE, parts={"event_log": boot_log.written(lies)}), of=of)
    assert (claims.boot.secure_boot, 7 in claims.boot.replayed) == (None, False)
    findings = [c for c in claims.checks if c.reason is Reason.EVENT_LOG_MISMATCH]
    assert [c.fact for c in findings] == ["EV_EFI_VARIABLE_DRIVER_CONFIG, PCR 7"]


def test_a_later_register_that_went_on_is_no_refusal_and_not_explained() -> None:
    log = boot_log.written((*boot_log.usual(), boot_log.Measurement(11, 0x0D, b"kernel")))
    claims = judge(TPM.evidence(NONCE, parts={"event_log": log}))
    assert 11 not in claims.boot.replayed
    assert any("PCR 11 was extended after" in check.name for check in claims.checks)


@pytest.mark.parametrize("when", [NOW - timedelta(days=1, seconds=1), NOW + timedelta(days=1, seconds=1)])
def test_time_outside_the_window_is_refused_with_and_without_memory(when: datetime) -> None:
    memory: Memory[Any] = Memory()
    evidence = TPM.evidence(NONCE)
    judge(evidence, memory=memory)
    reasons = {refused(Unauthentic, evidence, when=when, **more) for more in ({}, {"memory": memory})}
    assert reasons == {Reason.EXPIRED if when > NOW else Reason.NOT_YET_VALID}


def test_a_revoked_key_is_not_believed() -> None:
    serial = x509.load_der_x509_certificate(TPM.certificate).serial_number
    day = timedelta(days=1)
    listed = pki.crl(TPM.issuer, NOW, NOW + day, revoked=(serial,))
    assert refused(Unauthentic, TPM.evidence(NONCE), endorsements=Endorsements(crls=(listed,))) is Reason.REVOKED


@pytest.mark.parametrize("part", ["more", "certificates"])
def test_a_part_that_nobody_asked_for_is_malformed(part: str) -> None:
    assert refused(Malformed, TPM.evidence(NONCE, parts={part: b""})) is Reason.UNKNOWN_KEY


def test_a_quote_without_signature_or_key_is_malformed() -> None:
    assert refused(Malformed, TPM.evidence(NONCE, parts={"signature": None})) is Reason.MISSING
    bare = TPM.evidence(NONCE, parts={"ak_public": None, "ak_certificates": None})
    assert refused(Malformed, bare) is Reason.KEY_MISSING


@pytest.mark.parametrize("cut", range(len(TPM.quote(NONCE))))
def test_every_prefix_of_a_quote_is_malformed(cut: int) -> None:
    with pytest.raises(Malformed):
        tpm_attest.parse(TPM.quote(NONCE)[:cut])


def test_bytes_after_a_quote_are_malformed() -> None:
    with pytest.raises(Malformed) as error:
        tpm_attest.parse(TPM.quote(NONCE) + b"\0")
    assert error.value.reason is Reason.TRAILING_BYTES


@given(st.sampled_from(["signature", "ak_public", "ak_certificates", "pcrs", "event_log"]), st.binary(max_size=120))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_part_is_judged_in_our_family(name: str, raw: bytes) -> None:
    try:
        claims = judge(TPM.evidence(NONCE, parts={name: raw}))
    except (Malformed, Unauthentic, Undetermined):
        return
    assert claims.bound == NONCE


def test_google_and_microsoft_are_pinned() -> None:
    assert [len(production().of(vendor)) for vendor in (Vendor.GOOGLE, Vendor.MICROSOFT)] == [1, 1]
