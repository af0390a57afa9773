"""COSE_Sign1: read strictly, verified over the bytes received."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import Malformed, Reason, Unauthentic
from enarx.evidence.check import Trail
from enarx.evidence.cose import ES256, Sign1, parse_sign1, verify_sign1
from enarx.platform.simulated.cose import sign1

KEYS = {curve.name: ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())}
PAYLOAD = b"payload"


def verify(document: Sign1, key: ec.EllipticCurvePrivateKey, **more: object) -> None:
    verify_sign1(document, key.public_key(), trail=Trail(), name="document", **more)


def reason_of(raw: bytes, tag: str = "either") -> Reason:
    with pytest.raises(Malformed) as refused:
        parse_sign1(raw, "document", tag=tag)
    return refused.value.reason


@pytest.mark.parametrize("curve", KEYS)
@pytest.mark.parametrize("tagged", [True, False])
def test_each_curve_signs_and_verifies(curve: str, tagged: bool) -> None:
    raw = sign1(PAYLOAD, KEYS[curve], tagged=tagged)
    document = parse_sign1(raw, "document", tag="either")
    verify(document, KEYS[curve])
    assert document.payload == PAYLOAD


def test_the_tag_is_as_the_caller_says() -> None:
    tagged, bare = (sign1(PAYLOAD, KEYS["secp256r1"], tagged=tagged) for tagged in (True, False))
    assert reason_of(tagged, "forbidden") is Reason.WRONG_TYPE
    assert reason_of(bare, "required") is Reason.WRONG_TYPE
    assert reason_of(cbor2.dumps(cbor2.CBORTag(17, cbor2.loads(bare)))) is Reason.WRONG_TYPE


def parts(**changed: object) -> bytes:
    names = ("protected", "unprotected", "payload", "signature")
    found = dict(zip(names, cbor2.loads(sign1(PAYLOAD, KEYS["secp256r1"], tagged=False)), strict=True))
    return cbor2.dumps([*(found | changed).values()])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"payload": None}, Reason.WRONG_TYPE),
        ({"payload": "text"}, Reason.WRONG_TYPE),
        ({"signature": b""}, Reason.MISSING),
        ({"signature": None}, Reason.WRONG_TYPE),
        ({"protected": {1: -7}}, Reason.WRONG_TYPE),
        ({"protected": cbor2.dumps([1])}, Reason.WRONG_TYPE),
        ({"protected": cbor2.dumps({1: -7}) + b"\0"}, Reason.TRAILING_BYTES),
        ({"protected": b"\xa2\x01\x26\x01\x26"}, Reason.SYNTAX),
        ({"protected": cbor2.dumps({b"x": 1})}, Reason.WRONG_TYPE),
        ({"unprotected": []}, Reason.WRONG_TYPE),
        ({"unprotected": {1: -7}}, Reason.DUPLICATE),
        ({"more": 1}, Reason.WRONG_TYPE),
    ],
)
def test_a_document_of_another_shape_is_malformed(changed: dict[str, object], reason: Reason) -> None:
    assert reason_of(parts(**changed)) is reason


def test_trailing_bytes_are_refused() -> None:
    assert reason_of(parts() + b"\0") is Reason.TRAILING_BYTES


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (sign1(PAYLOAD, KEYS["secp256r1"], protected={}), Reason.ALGORITHM),
        (sign1(PAYLOAD, KEYS["secp256r1"], protected={}, unprotected={1: ES256}), Reason.ALGORITHM),
        (sign1(PAYLOAD, KEYS["secp256r1"], protected={1: -35}), Reason.ALGORITHM),
        (sign1(PAYLOAD, KEYS["secp256r1"], protected={1: -8}), Reason.ALGORITHM),
        (sign1(PAYLOAD, KEYS["secp256r1"], protected={1: True}), Reason.ALGORITHM),
        (sign1(PAYLOAD, KEYS["secp256r1"], protected={1: -7, 2: [5]}), Reason.CRITICALITY),
        (sign1(PAYLOAD, KEYS["secp384r1"]), Reason.ALGORITHM),
        (sign1(PAYLOAD, KEYS["secp256r1"], external_aad=b"x"), Reason.SIGNATURE_INVALID),
        (parts(payload=b"other"), Reason.SIGNATURE_INVALID),
        (parts(protected=b"\xa1\x01\x38\x06"), Reason.SIGNATURE_INVALID),  # the same map, another encoding
        (parts(signature=b"\0" * 64), Reason.SIGNATURE_INVALID),
        (parts(signature=b"\0" * 63), Reason.ALGORITHM),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "document",
)
def test_what_the_key_did_not_sign_is_not_believed(document: bytes, reason: Reason) -> None:
    with pytest.raises(Unauthentic) as refused:
        verify(parse_sign1(document, "document", tag="either"), KEYS["secp256r1"])
    assert refused.value.reason is reason


def test_an_algorithm_that_the_format_does_not_use_is_refused() -> None:
    document = parse_sign1(sign1(PAYLOAD, KEYS["secp256r1"]), "document", tag="required")
    with pytest.raises(Unauthentic) as refused:
        verify(document, KEYS["secp256r1"], algorithms=frozenset({-35}))
    assert refused.value.reason is Reason.ALGORITHM


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_bytes_are_a_document_or_malformed(raw: bytes) -> None:
    for tag in ("required", "forbidden", "either"):
        try:
            parse_sign1(raw, "document", tag=tag)
        except Malformed:
            continue
