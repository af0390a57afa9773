# SPDX-License-Identifier: Apache-2.0
"""The keys that sign launches, in the vendors' own forms, and the digests that reports show of them."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enarx.codec.digest import sha256, sha384
from enarx.errors import Misused, Reason

P384 = 2
"""AMD 56860, chapter "ECDSA P-384": the curve's number."""
_COMPONENT = 72
_KEY = 1028
_SIGNATURE = 512


def sev_key(key: ec.EllipticCurvePublicKey) -> bytes:
    """AMD's ECDSA public key: curve (4), x (72), y (72), little-endian; zeros up to 1028 bytes."""
    if key.curve.name != "secp384r1":
        raise Misused(Reason.KEY_INVALID, f"SEV key on {key.curve.name}, expected P-384")
    numbers = key.public_numbers()
    raw = P384.to_bytes(4, "little")
    raw += numbers.x.to_bytes(_COMPONENT, "little") + numbers.y.to_bytes(_COMPONENT, "little")
    return raw.ljust(_KEY, b"\0")


def sev_digest(key: ec.EllipticCurvePublicKey) -> bytes:
    """ID_KEY_DIGEST and AUTHOR_KEY_DIGEST: SHA-384 of the key in AMD's form (48 bytes)."""
    return sha384(sev_key(key))


def sev_signature(signature: bytes) -> bytes:
    """AMD's ECDSA signature of a DER one: r (72), s (72), little-endian; zeros up to 512 bytes."""
    r, s = decode_dss_signature(signature)
    return (r.to_bytes(_COMPONENT, "little") + s.to_bytes(_COMPONENT, "little")).ljust(_SIGNATURE, b"\0")


def sev_sign(author: ec.EllipticCurvePrivateKey, id_key: ec.EllipticCurvePublicKey) -> bytes:
    """The author's signature over an id key, then the author's key, both in AMD's form (1540 bytes)."""
    public = sev_key(author.public_key())
    signed = author.sign(sev_key(id_key), ec.ECDSA(hashes.SHA384(), deterministic_signing=True))
    return sev_signature(signed) + public


def sgx_digest(key: rsa.RSAPublicKey) -> bytes:
    """MRSIGNER: SHA-256 of the modulus, 384 bytes little-endian (Intel SDM volume 3D, 39.1.1)."""
    numbers = key.public_numbers()
    if key.key_size != 3072 or numbers.e != 3:
        raise Misused(Reason.KEY_INVALID, "SGX key: expected RSA of 3072 bits with exponent 3")
    return sha256(numbers.n.to_bytes(384, "little"))
