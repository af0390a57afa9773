# SPDX-License-Identifier: Apache-2.0
"""ECDSA P-256 as Intel writes it outside of certificates: points as x ‖ y, signatures as r ‖ s."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from enarx.codec.x509 import Certificate

_SHA256 = ec.ECDSA(hashes.SHA256())
_P256 = ec.SECP256R1()


def point(raw: bytes) -> ec.EllipticCurvePublicKey | None:
    """The key with these coordinates, or None: there is no such point on the curve."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_P256, b"\x04" + raw)
    except ValueError:
        return None


def key_of(certificate: Certificate) -> ec.EllipticCurvePublicKey | None:
    """A certificate's P-256 key, or None: it has another kind of key."""
    key = certificate.public_key
    return key if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1" else None


def verifies(key: ec.EllipticCurvePublicKey | None, signature: bytes, signed: bytes) -> bool:
    """Whether `signature` (64 bytes) over the SHA-256 of `signed` is by `key`."""
    if key is None:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), signed, _SHA256)
    except InvalidSignature:
        return False
    return True
