# SPDX-License-Identifier: Apache-2.0
"""The two keys of a release: the Keep's one-time key that secrets are sealed to, and the tenant's that signs them.

HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. `info` is
the label and the SHA-512 of the binding, so that what is sealed for one key, nonce, launch and
TLS key opens under no other. The tenant's signature makes it the tenant's: anybody can seal.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from enarx.errors import Malformed, Misused, Reason, Unauthentic
from enarx.evidence.binding import Binding

LABEL = b"enarx-release-1\0"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


class OneTimeKey:
    """A key pair for one release (`enarx.delivery.release_keep.Session` lets go of it at the first parcel)."""

    __slots__ = ("_private", "public")

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def open(self, sealed: bytes, binding: Binding) -> bytes:
        """What was sealed to this key under this binding."""
        try:
            return _SUITE.decrypt(sealed, self._private, info=_info(binding))
        except InvalidTag:
            raise Unauthentic(Reason.KEY_NOT_BOUND, "parcel: not sealed to this key for this release") from None


class TenantSigner(Protocol):
    """What signs for the tenant, wherever its key is kept."""

    @property
    def spki(self) -> bytes:
        """The public key as the launch document names it, DER SubjectPublicKeyInfo."""

    def sign(self, message: bytes) -> bytes:
        """ECDSA (P-256 with SHA-256, P-384 with SHA-384; DER) or Ed25519."""


class TenantKey:
    """A tenant's key in this process's memory."""

    __slots__ = ("_key", "spki")

    def __init__(self, pem: bytes, what: str) -> None:
        """`Misused` unless `pem` is an unencrypted P-256, P-384 or Ed25519 key."""
        try:
            key = load_pem_private_key(pem, None)
        except _UNREADABLE:
            raise Misused(Reason.KEY_INVALID, f"{what}: not an unencrypted PEM private key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise Misused(Reason.ALGORITHM, what, hint="a tenant's key is P-256, P-384 or Ed25519")
        self._key = key
        self.spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        _public(self.spki)

    def sign(self, message: bytes) -> bytes:
        """See `TenantSigner.sign`."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return self._key.sign(message, _ecdsa(self._key.curve))


def seal(plain: bytes, public: bytes, binding: Binding) -> bytes:
    """`plain` for the holder of the one-time key alone."""
    try:
        return _SUITE.encrypt(plain, X25519PublicKey.from_public_bytes(public), info=_info(binding))
    except ValueError:  # a point of low order (RFC 9180 section 7.1.4)
        raise Malformed(Reason.KEY_INVALID, "offer: one-time key") from None


def signed(binding: Binding, sealed: bytes) -> bytes:
    """What the tenant signs."""
    return _info(binding) + sealed


def require_tenant(tenant: bytes, signature: bytes, message: bytes) -> None:
    """`Unauthentic` unless the launch document's tenant signed `message`."""
    key = _public(tenant)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, _ecdsa(key.curve))
    except InvalidSignature:
        raise Unauthentic(
            Reason.SIGNATURE_INVALID, "parcel: not signed by the tenant that the launch document names"
        ) from None


def _public(spki: bytes) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    try:
        key = load_der_public_key(spki)
    except _UNREADABLE:
        raise Malformed(Reason.KEY_INVALID, "launch document: tenant") from None
    match key:
        case ed25519.Ed25519PublicKey():
            return key
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1() | ec.SECP384R1()):
            return key
        case _:
            raise Malformed(Reason.ALGORITHM, "launch document: tenant")


def _ecdsa(curve: ec.EllipticCurve) -> ec.ECDSA:
    return ec.ECDSA(hashes.SHA384() if isinstance(curve, ec.SECP384R1) else hashes.SHA256())


def _info(binding: Binding) -> bytes:
    return LABEL + binding.sha512()
