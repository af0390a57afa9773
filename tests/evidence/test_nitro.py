"""Nitro and NitroTPM documents: read to the last byte, believed from the root down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec import cbor
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import aws_roots, nitro
from enarx.evidence.anchor import PRODUCTION, Anchors, Vendor
from enarx.evidence.check import Verdict
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nitro_document import parse
from enarx.platform.simulated.cose import sign1
from enarx.platform.simulated.nitro import MODULE, NitroHypervisor, hypervisor
from enarx.platform.simulated.pki import authority, crl, der, issued, usage

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOST = hypervisor(NOW)
TPM_HOST = hypervisor(NOW, Kind.NITROTPM)
AWS = Anchors(PRODUCTION, {Vendor.AWS: aws_roots.roots()})


def judge(
    raw: bytes, *, host: NitroHypervisor = HOST, when: datetime = NOW, crls: tuple[bytes, ...] = (), **more: Any
) -> nitro.NitroClaims:
    anchors = more.pop("anchors", host.anchors())
    return nitro.judge(Evidence(host.kind, raw), Endorsements(crls=crls), anchors=anchors, when=when, **more)


def refused(family: type[EnarxError], raw: bytes, **more: Any) -> Reason:
    with pytest.raises(family) as error:
        judge(raw, **more)
    assert type(error.value) is family
    return error.value.reason


@pytest.mark.parametrize("host", [HOST, TPM_HOST], ids=["enclave", "tpm"])
def test_a_genuine_document_says_what_it_was_made_with(host: NitroHypervisor) -> None:
    claims = judge(host.document(NOW, user_data=b"bound", nonce=b"", public_key=b"key"), host=host)
    assert (claims.kind, claims.anchors, claims.bound) == (host.kind, "simulated", b"bound")
    assert (claims.module_id, claims.nonce, claims.public_key) == (MODULE[host.kind], b"", b"key")
    assert claims.pcrs[0] == b"\1" * 48
    assert not claims.debug()
    assert claims.facts()["timestamp"] == int(NOW.timestamp()) * 1000
    assert claims.window.not_after == NOW + timedelta(hours=3)


def test_production_anchors_never_believe_a_simulated_document() -> None:
    assert refused(Unauthentic, HOST.document(NOW), anchors=AWS) is Reason.UNKNOWN_ANCHOR


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_boot_register_that_is_zero_or_missing_means_debug(missing: int) -> None:
    registers = dict.fromkeys(range(16), b"\x01" * 48)
    assert judge(HOST.document(NOW, registers={**registers, missing: bytes(48)})).debug()
    del registers[missing]
    assert judge(HOST.document(NOW, registers=registers)).debug()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"module_id": ""}, Reason.WRONG_TYPE),
        ({"module_id": b"i"}, Reason.WRONG_TYPE),
        ({"module_id": None}, Reason.MISSING),
        ({"digest": "SHA256"}, Reason.UNKNOWN_VALUE),
        ({"digest": None}, Reason.MISSING),
        ({"timestamp": 0}, Reason.UNKNOWN_VALUE),
        ({"timestamp": -1}, Reason.UNKNOWN_VALUE),
        ({"timestamp": True}, Reason.UNKNOWN_VALUE),
        ({"timestamp": 1.0}, Reason.UNKNOWN_VALUE),
        ({"timestamp": 1 << 63}, Reason.UNKNOWN_VALUE),
        ({"registers": {32: bytes(48)}}, Reason.UNKNOWN_VALUE),
        ({"registers": {-1: bytes(48)}}, Reason.UNKNOWN_VALUE),
        ({"registers": {"0": bytes(48)}}, Reason.UNKNOWN_VALUE),
        ({"registers": {0: bytes(47)}}, Reason.WRONG_LENGTH),
        ({"registers": {0: "text"}}, Reason.WRONG_LENGTH),
        ({"registers": {index: bytes(48) for index in range(33)}}, Reason.WRONG_LENGTH),
        ({"nitrotpm_pcrs": {0: bytes(48)}}, Reason.UNKNOWN_KEY),
        ({"pcrs": {}}, Reason.WRONG_LENGTH),
        ({"pcrs": None}, Reason.MISSING),
        ({"certificate": b""}, Reason.WRONG_LENGTH),
        ({"certificate": b"x" * 1025}, Reason.WRONG_LENGTH),
        ({"certificate": b"x"}, Reason.SYNTAX),
        ({"cabundle": []}, Reason.WRONG_LENGTH),
        ({"cabundle": [b""]}, Reason.WRONG_LENGTH),
        ({"cabundle": [b"x"] * 10}, Reason.WRONG_LENGTH),
        ({"cabundle": b"x"}, Reason.WRONG_LENGTH),
        ({"user_data": b"x" * 1025}, Reason.WRONG_LENGTH),
        ({"nonce": b"x" * 1025}, Reason.WRONG_LENGTH),
        ({"public_key": "text"}, Reason.WRONG_LENGTH),
        ({"more": 1}, Reason.UNKNOWN_KEY),
        ({7: 1}, Reason.UNKNOWN_KEY),
        ({"protected": {1: -7}}, Reason.UNKNOWN_VALUE),
        ({"protected": {1: -35, 4: b"kid"}}, Reason.UNKNOWN_VALUE),
        ({"unprotected": {4: b"kid"}}, Reason.UNKNOWN_VALUE),
    ],
    ids=str,
)
def test_a_document_with_a_wrong_field_is_malformed(fields: dict[Any, Any], reason: Reason) -> None:
    text = {name: value for name, value in fields.items() if isinstance(name, str)}
    raw = HOST.document(NOW, **text)
    if 7 in fields:
        raw = sign1(cbor.encode({**HOST.payload(NOW), 7: 1}), HOST.key, tagged=False)
    assert refused(Malformed, raw) is reason


@pytest.mark.parametrize("size", [0, 512, 1024])
def test_fields_up_to_1024_bytes_are_read(size: int) -> None:
    field = b"x" * size
    claims = judge(HOST.document(NOW, user_data=field, nonce=field, public_key=field or b"k"))
    assert claims.user_data == field


def test_a_key_twice_is_malformed() -> None:
    payload = cbor.encode(HOST.payload(NOW))
    twice = bytes([payload[0] + 1]) + cbor.encode("nonce") + b"\xf6" + payload[1:]
    assert refused(Malformed, sign1(twice, HOST.key, tagged=False)) is Reason.SYNTAX


def test_bytes_after_the_payload_or_the_document_are_malformed() -> None:
    payload = cbor.encode(HOST.payload(NOW))
    assert refused(Malformed, sign1(payload + b"\0", HOST.key, tagged=False)) is Reason.TRAILING_BYTES
    assert refused(Malformed, HOST.document(NOW) + b"\0") is Reason.TRAILING_BYTES


def test_a_document_of_one_kind_is_none_of_the_other() -> None:
    assert refused(Malformed, TPM_HOST.document(NOW)) is Reason.MISSING


def test_a_der_signature_is_malformed() -> None:
    parts = cbor2.loads(HOST.document(NOW))
    parts[3] = b"\x30" + parts[3]
    assert refused(Malformed, cbor2.dumps(parts)) is Reason.WRONG_LENGTH


def test_a_tagged_document_is_read_too() -> None:
    assert judge(HOST.document(NOW, tagged=True)).module_id == MODULE[Kind.NITRO]


def test_another_key_did_not_sign_it() -> None:
    other = msgspec.structs.replace(HOST, key=ec.generate_private_key(ec.SECP384R1()))
    assert refused(Unauthentic, other.document(NOW)) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "order",
    [
        lambda chain: chain[1:],
        lambda chain: chain[:-1],
        lambda chain: [chain[0], chain[2], chain[1], chain[3]],
        lambda chain: chain[::-1],
        lambda chain: [*chain, chain[-1]],
        lambda chain: [der(hypervisor(NOW).root.certificate), *chain[1:]],
    ],
)
def test_a_bundle_in_another_order_is_not_believed(order: Callable[[list[bytes]], list[bytes]]) -> None:
    reason = refused(Unauthentic, HOST.document(NOW, cabundle=order(HOST.cabundle())))
    assert reason in {Reason.CHAIN_BROKEN, Reason.UNKNOWN_ANCHOR, Reason.CERTIFICATE_PROFILE}


EXTENSIONS = {
    "a CA": [(x509.BasicConstraints(ca=True, path_length=None), True), (usage("digital_signature"), False)],
    "no usage": [(x509.BasicConstraints(ca=False, path_length=None), True)],
    "another usage": [(usage("key_agreement"), True)],
    "signs certificates too": [(usage("digital_signature", "key_cert_sign"), True)],
    "an unknown critical extension": [
        (usage("digital_signature"), True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),
    ],
}


@pytest.mark.parametrize("extensions", EXTENSIONS.values(), ids=EXTENSIONS)
def test_a_leaf_issued_for_another_use_is_not_believed(extensions: list[tuple[x509.ExtensionType, bool]]) -> None:
    day = timedelta(days=1)
    leaf = issued("leaf", HOST.key.public_key(), HOST.instance, NOW - day, NOW + day, extensions=extensions)
    reason = refused(Unauthentic, HOST.document(NOW, certificate=der(leaf)))
    assert reason in {Reason.CERTIFICATE_PROFILE, Reason.CRITICALITY}


def test_an_issuer_that_is_no_ca_is_not_believed() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    false_ca = issued("no CA", key.public_key(), HOST.instance, NOW - timedelta(1), NOW + timedelta(1))
    signer = authority("x", ec.SECP384R1(), NOW, NOW)
    leaf = issued(
        "leaf", HOST.key.public_key(), msgspec.structs.replace(signer, certificate=false_ca, key=key), NOW, NOW
    )
    chain = [*HOST.cabundle(), der(false_ca)]
    reason = refused(Unauthentic, HOST.document(NOW, certificate=der(leaf), cabundle=chain))
    assert reason is Reason.CERTIFICATE_PROFILE


def test_keys_of_another_curve_are_not_believed() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issued("leaf", key.public_key(), HOST.instance, NOW - timedelta(1), NOW + timedelta(1))
    assert refused(Unauthentic, HOST.document(NOW, certificate=der(leaf))) is Reason.ALGORITHM


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        (NOW - timedelta(minutes=1, seconds=1), Reason.NOT_YET_VALID),
        (NOW + timedelta(hours=3, seconds=1), Reason.EXPIRED),
    ],
)
def test_time_outside_the_window_is_refused_with_and_without_memory(when: datetime, reason: Reason) -> None:
    memory: Memory[Any] = Memory()
    raw = HOST.document(NOW)
    assert refused(Unauthentic, raw, when=when) is reason
    judge(raw, memory=memory)
    assert refused(Unauthentic, raw, when=when, memory=memory) is reason
    assert judge(raw, memory=memory).window == judge(raw).window


def test_a_memory_does_not_carry_belief_to_other_anchors() -> None:
    memory: Memory[Any] = Memory()
    judge(HOST.document(NOW), memory=memory)
    assert refused(Unauthentic, HOST.document(NOW), memory=memory, anchors=AWS) is Reason.UNKNOWN_ANCHOR


def test_revocation_is_unchecked_without_lists_and_checked_with_them() -> None:
    raw = HOST.document(NOW)
    open_ = [c for c in judge(raw).checks if c.reason is Reason.REVOCATION_UNCHECKED]
    assert [c.verdict for c in open_] == [Verdict.NOTED]
    claims = judge(raw, crls=HOST.crls(NOW))
    assert not [c for c in claims.checks if c.reason]
    assert claims.window.not_before == NOW


def test_a_revoked_certificate_is_refused_even_when_an_older_list_does_not_name_it() -> None:
    raw, serial = HOST.document(NOW), HOST.zone.certificate.serial_number
    day = timedelta(days=1)
    older = crl(HOST.region, NOW - day / 2, NOW + day, number=1)
    newer = crl(HOST.region, NOW, NOW + day, number=2, revoked=(serial,))
    for crls in ((older, newer), (newer, older)):
        assert refused(Unauthentic, raw, crls=crls) is Reason.REVOKED
    memory: Memory[Any] = Memory()
    judge(raw, memory=memory)
    assert refused(Unauthentic, raw, crls=(newer,), memory=memory) is Reason.REVOKED


def test_a_list_that_is_stale_or_forged_is_no_answer() -> None:
    raw, day = HOST.document(NOW), timedelta(days=1)
    assert refused(Undetermined, raw, crls=(crl(HOST.region, NOW - 2 * day, NOW - day),)) is Reason.EXPIRED
    assert refused(Undetermined, raw, crls=(crl(HOST.region, NOW + day, NOW + 2 * day),)) is Reason.NOT_YET_VALID
    forger = msgspec.structs.replace(HOST.region, key=ec.generate_private_key(ec.SECP384R1()))
    assert refused(Unauthentic, raw, crls=(crl(forger, NOW, NOW + day),)) is Reason.SIGNATURE_INVALID


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_are_a_document_or_malformed(raw: bytes) -> None:
    for kind in (Kind.NITRO, Kind.NITROTPM):
        with pytest.raises(Malformed):
            parse(raw, kind)


@given(st.dictionaries(st.sampled_from(sorted(HOST.payload(NOW))), st.none() | st.binary(max_size=5) | st.integers()))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_fields_are_a_document_or_malformed(fields: dict[str, Any]) -> None:
    payload = cbor.encode({**HOST.payload(NOW), **fields})
    try:
        nitro.judge(
            Evidence(Kind.NITRO, sign1(payload, HOST.key, tagged=False)), NOTHING, anchors=HOST.anchors(), when=NOW
        )
    except (Malformed, Unauthentic):
        return
