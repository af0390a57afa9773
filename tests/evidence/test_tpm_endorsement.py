"""Which endorsement and attestation keys a credential may be made for."""

from __future__ import annotations

import secrets
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.tpm_chain import AK_CERTIFICATE, EK_CERTIFICATE
from enarx.evidence.tpm_credential import make_credential
from enarx.evidence.tpm_endorsement import endorsed
from enarx.platform.simulated import pki

WHEN, DAY = datetime(2026, 6, 1, tzinfo=UTC), timedelta(days=1)
ROOT = pki.authority("maker of TPMs", ec.SECP256R1(), WHEN - DAY, WHEN + 9 * DAY)
OTHER = pki.authority("maker of TPMs", ec.SECP256R1(), WHEN - DAY, WHEN + 9 * DAY)
ANCHORS = Anchors("unsafe", {Vendor.TPM: (Certificate(pki.der(ROOT.certificate)),)})
EK, AK = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
EK_ATTRIBUTES, AK_ATTRIBUTES = 0x000300B2, 0x00050072


def sized(raw: bytes) -> bytes:
    return struct.pack(">H", len(raw)) + raw


def public(key: Any, attributes: int, *, names: int = 0x000B) -> bytes:
    """TPMT_PUBLIC of an EK (with AES-128-CFB) or of an AK (with ECDSA)."""
    decrypts = bool(attributes & 1 << 17)
    symmetric = struct.pack(">HHH", 6, 128, 0x43) if decrypts else struct.pack(">H", 0x10)
    scheme = struct.pack(">H", 0x10) if decrypts else struct.pack(">HH", 0x18, 0x0B)
    numbers = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        shape = symmetric + scheme + struct.pack(">HI", 2048, 0) + sized(numbers.n.to_bytes(256, "big"))
        return struct.pack(">HHI", 0x0001, names, attributes) + sized(bytes(32)) + shape
    point = sized(numbers.x.to_bytes(32, "big")) + sized(numbers.y.to_bytes(32, "big"))
    shape = symmetric + scheme + struct.pack(">HH", 3, 0x10) + point
    return struct.pack(">HHI", 0x0023, names, attributes) + sized(bytes(32)) + shape


def certificate(
    key: Any = EK, by: pki.Authority = ROOT, *, purpose: str = EK_CERTIFICATE, days: int = 1, extra: Any = ()
) -> bytes:
    extensions = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (pki.usage("key_agreement"), True),
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose)]), False),
        (x509.SubjectAlternativeName([x509.DirectoryName(pki.name_of("id:00001014"))]), True),
        *extra,
    ]
    made = pki.issued("EK", key.public_key(), by, WHEN - DAY, WHEN + days * DAY, extensions=extensions)
    return pki.der(made)


def judged(certificates: Any = None, ek: bytes | None = None, ak: bytes | None = None) -> Any:
    return endorsed(
        [certificate()] if certificates is None else certificates,
        ek or public(EK, EK_ATTRIBUTES),
        ak or public(AK, AK_ATTRIBUTES),
        anchors=ANCHORS,
        when=WHEN,
    )


def test_a_certified_key_is_endorsed_until_its_path_ends() -> None:
    found = judged()
    assert ("tpm", WHEN + DAY) == (found.authority, found.window.not_after)
    assert found.ak == public_bytes(AK)
    assert any(check.reason is Reason.REVOCATION_UNCHECKED for check in found.checks)


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    from enarx.evidence.tpm_key import spki_of

    return spki_of(key.public_key())


STRANGER = ec.generate_private_key(ec.SECP256R1())
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0")


@pytest.mark.parametrize(
    ("given", "family", "reason"),
    [
        ({"certificates": [certificate(by=OTHER)]}, Unauthentic, Reason.UNKNOWN_ANCHOR),
        ({"certificates": [certificate(STRANGER)]}, Unauthentic, Reason.KEY_NOT_BOUND),
        ({"certificates": [certificate(purpose=AK_CERTIFICATE)]}, Unauthentic, Reason.CERTIFICATE_PROFILE),
        ({"certificates": [certificate(extra=[(UNKNOWN, True)])]}, Unauthentic, Reason.CRITICALITY),
        ({"certificates": [certificate(days=0)]}, None, None),
        ({"certificates": []}, Malformed, Reason.WRONG_LENGTH),
        ({"certificates": [b"0"]}, Malformed, None),
        ({"ek": public(EK, AK_ATTRIBUTES)}, Unauthentic, Reason.KEY_INVALID),
        ({"ak": public(AK, EK_ATTRIBUTES)}, Unauthentic, Reason.KEY_INVALID),
        ({"ak": public(AK, AK_ATTRIBUTES & ~(1 << 16))}, Unauthentic, Reason.KEY_INVALID),
        ({"ak": public(AK, AK_ATTRIBUTES, names=0x000C)}, Unauthentic, Reason.ALGORITHM),
        ({"ak": public_bytes(AK)}, Unauthentic, Reason.KEY_INVALID),
        ({"ek": b"\0\x23"}, Malformed, Reason.TRUNCATED),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_what_is_refused(given: dict[str, Any], family: type[EnarxError] | None, reason: Reason | None) -> None:
    if family is None:  # valid to the second
        judged(**given)
        return
    with pytest.raises(family) as caught:
        judged(**given)
    assert reason in (None, caught.value.reason)


def test_an_rsa_endorsement_key_gets_a_credential_too() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    found = judged([certificate(key)], public(key, EK_ATTRIBUTES))
    made = make_credential(b"s" * 32, ek=found.ek, ak_name=found.ak_name, randomness=secrets.token_bytes)
    assert 256 == len(made.secret)
