# SPDX-License-Identifier: Apache-2.0
"""Signatures by the algorithms that X.509 names, and the keys that we let make them."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from enarx.codec import der
from enarx.errors import Reason, Unauthentic

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_ECDSA = {
    "1.2.840.10045.4.3.2": ec.ECDSA(hashes.SHA256()),
    "1.2.840.10045.4.3.3": ec.ECDSA(hashes.SHA384()),
    "1.2.840.10045.4.3.4": ec.ECDSA(hashes.SHA512()),
}
_RSA = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
}
_RSA_PSS = "1.2.840.113549.1.1.10"


def verified(key: PublicKey, signature: bytes, signed: bytes, algorithm: str) -> bool:
    """Whether `signature` over `signed` is by `key`, with the X.509 algorithm of that dotted OID.

    ECDSA with SHA-256, -384, -512; RSASSA-PKCS1-v1_5 with the same; RSASSA-PSS only as AMD
    uses it (SHA-384, MGF1 with SHA-384, salt of 48 bytes). Anything else, SHA-1 above all, is
    `Unauthentic` for its algorithm.
    """
    try:
        match key:
            case ec.EllipticCurvePublicKey() if algorithm in _ECDSA:
                key.verify(signature, signed, _ECDSA[algorithm])
            case rsa.RSAPublicKey() if algorithm in _RSA:
                key.verify(signature, signed, padding.PKCS1v15(), _RSA[algorithm])
            case rsa.RSAPublicKey() if algorithm == _RSA_PSS:
                pss = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
                key.verify(signature, signed, pss, hashes.SHA384())
            case _:
                raise Unauthentic(Reason.ALGORITHM, f"signature algorithm {algorithm}")
    except InvalidSignature:
        return False
    return True


def plain(raw: bytes, algorithm: bytes) -> bool:
    """What no signature covers says nothing of its own, in a certificate as in a CRL.

    The outer algorithm "MUST contain the same algorithm identifier" as the signed one (RFC 5280
    4.1.1.2, 5.1.1.2), and the BIT STRING of the signature leaves no bit unused.
    """
    _, outer, signature = der.inner(raw, 3)
    contents = 2 + (signature[1] & 0x7F if signature[1] & 0x80 else 0)
    return outer == algorithm and signature[0] == der.BIT_STRING and signature[contents] == 0
