# SPDX-License-Identifier: Apache-2.0
"""A tenant's signature over a package: it names one digest and one version, and nobody else's passes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwk, jws

from enarx.errors import EnarxError, Malformed, Misused, Reason, Unacceptable, Unauthentic
from enarx.workload import signature
from enarx.workload.package import build

PACKAGE = build({"main.wasm": b"\0asm\1\0\0\0"})
_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
KEY = ec.generate_private_key(ec.SECP256R1())
WIDE = ec.generate_private_key(ec.SECP384R1())
STRANGER = ec.generate_private_key(ec.SECP256R1())
SIGNED = signature.sign(PACKAGE.entry, KEY, security_version=3)


@pytest.mark.parametrize("key", [KEY, WIDE])
def test_a_signature_names_the_package_and_its_version(key: ec.EllipticCurvePrivateKey) -> None:
    raw = signature.sign(PACKAGE.entry, key, security_version=3)
    signed = signature.verify(raw, (STRANGER.public_key(), key.public_key()), minimum_security_version=3)
    assert (signed.package, signed.security_version) == (PACKAGE.digest, 3)
    assert signed.entry == PACKAGE.entry
    assert signed.signer == signature.signer(key.public_key())


def test_another_implementation_verifies_it() -> None:
    key = jwk.ECKey.import_key(KEY.public_key().public_bytes(*_PEM))
    registry = jws.JWSRegistry(header_registry={"security_version": _parameter()}, algorithms=["ES256"])
    found = jws.deserialize_json(json.loads(SIGNED), key, registry=registry)
    assert found.payload == PACKAGE.entry.encoded()


def _parameter() -> Any:
    from joserfc.registry import HeaderParameter

    return HeaderParameter("the package's security version", "int")


def test_it_is_general_json_as_upstreams_tags() -> None:
    table = json.loads(SIGNED)
    assert set(table) == {"payload", "signatures"}
    header = json.loads(base64.urlsafe_b64decode(table["signatures"][0]["protected"] + "=="))
    assert (header["alg"], header["crit"], header["security_version"]) == ("ES256", ["security_version"], 3)


def test_no_trusted_key_no_package() -> None:
    for keys in ((), (STRANGER.public_key(),)):
        with pytest.raises(Unauthentic) as refused:
            signature.verify(SIGNED, keys)
        assert refused.value.reason == Reason.UNKNOWN_ANCHOR


def test_an_older_version_than_wanted_is_refused() -> None:
    with pytest.raises(Unacceptable) as refused:
        signature.verify(SIGNED, (KEY.public_key(),), minimum_security_version=4)
    assert refused.value.reason == Reason.SECURITY_VERSION_TOO_LOW


def _resigned(**changed: Any) -> bytes:
    """The signature with other headers, by the right key."""
    table = json.loads(SIGNED)
    header = json.loads(base64.urlsafe_b64decode(table["signatures"][0]["protected"] + "=="))
    header = {name: value for name, value in {**header, **changed}.items() if value is not None}
    protected = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(KEY.sign(f"{protected}.{table['payload']}".encode(), ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    table["signatures"] = [{"protected": protected, "signature": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}]
    return json.dumps(table).encode()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"alg": "none"}, Reason.ALGORITHM),
        ({"alg": "ES384"}, Reason.ALGORITHM),
        ({"alg": "HS256"}, Reason.ALGORITHM),
        ({"kid": None}, Reason.UNKNOWN_ANCHOR),
        ({"kid": signature.signer(STRANGER.public_key()).hex()}, Reason.UNKNOWN_ANCHOR),
        ({"typ": "JWT"}, Reason.UNKNOWN_KIND),
        ({"crit": None}, Reason.UNKNOWN_KIND),
        ({"crit": ["security_version", "b64"]}, Reason.UNKNOWN_KIND),
        ({"security_version": None}, Reason.WRONG_TYPE),
        ({"security_version": -1}, Reason.WRONG_TYPE),
        ({"security_version": True}, Reason.WRONG_TYPE),
        ({"security_version": 1 << 32}, Reason.WRONG_TYPE),
    ],
)
def test_a_header_with_one_thing_wrong_is_refused(changed: dict[str, Any], reason: Reason) -> None:
    signature.verify(_resigned(), (KEY.public_key(),))
    with pytest.raises(EnarxError) as refused:
        signature.verify(_resigned(**changed), (KEY.public_key(),))
    assert refused.value.reason == reason


@settings(max_examples=200)
@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_a_signature_changed_anywhere_is_never_believed(at: int, flip: int) -> None:
    raw = bytearray(SIGNED)
    raw[at] ^= flip
    with pytest.raises((Malformed, Unauthentic)):
        signature.verify(bytes(raw), (KEY.public_key(),))


def test_the_payload_of_one_package_with_the_signature_of_another() -> None:
    other = json.loads(signature.sign(build({"main.wasm": b"other"}).entry, KEY, security_version=3))
    mixed = {**json.loads(SIGNED), "payload": other["payload"]}
    with pytest.raises(Unauthentic) as refused:
        signature.verify(json.dumps(mixed).encode(), (KEY.public_key(),))
    assert refused.value.reason == Reason.SIGNATURE_INVALID


def test_one_good_signature_among_strangers_is_enough() -> None:
    table, other = json.loads(SIGNED), json.loads(signature.sign(PACKAGE.entry, STRANGER, security_version=9))
    table["signatures"] = other["signatures"] + table["signatures"]
    assert signature.verify(json.dumps(table).encode(), (KEY.public_key(),)).security_version == 3


def test_the_flattened_form_is_read_too() -> None:
    table = json.loads(SIGNED)
    flat = {"payload": table["payload"], **table["signatures"][0]}
    assert signature.verify(json.dumps(flat).encode(), (KEY.public_key(),)).package == PACKAGE.digest


@given(st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_jws_or_malformed(raw: bytes) -> None:
    try:
        signature.parse(raw)
    except Malformed:
        return
    assert b"payload" in raw


@pytest.mark.parametrize("version", [-1, 1 << 32])
def test_a_version_out_of_range_is_not_signed(version: int) -> None:
    with pytest.raises(Misused):
        signature.sign(PACKAGE.entry, KEY, security_version=version)


def test_a_key_on_another_curve_is_refused() -> None:
    with pytest.raises(Misused, match="secp521r1"):
        signature.sign(PACKAGE.entry, ec.generate_private_key(ec.SECP521R1()), security_version=0)
