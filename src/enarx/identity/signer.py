# SPDX-License-Identifier: Apache-2.0
"""A key that signs certificates and results, wherever it is kept."""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enarx.codec.der import NULL, SEQUENCE, write, write_oid
from enarx.errors import Misused, Reason
from enarx.identity.request import spki_of

ECDSA_SHA256 = write(SEQUENCE, write_oid("1.2.840.10045.4.3.2"))
ECDSA_SHA384 = write(SEQUENCE, write_oid("1.2.840.10045.4.3.3"))
RSA_SHA256 = write(SEQUENCE, write_oid("1.2.840.113549.1.1.11"), write(NULL))


class Signer(Protocol):
    """What the rest of the Steward knows of a signing key."""

    @property
    def spki(self) -> bytes:
        """Its SubjectPublicKeyInfo, DER."""

    @property
    def algorithm(self) -> bytes:
        """The AlgorithmIdentifier of its signatures, DER (RFC 5758, RFC 4055)."""

    @property
    def jws(self) -> str:
        """The name of the same algorithm in JWS (RFC 7518 section 3.1)."""

    def sign(self, message: bytes) -> bytes:
        """A signature as X.509 has it: ECDSA-Sig-Value in DER, or the RSA octets."""


class KeySigner:
    """A key in this process's memory: P-256, P-384, or RSA of 2048 bits or more."""

    def __init__(self, key: object) -> None:
        hashed: hashes.HashAlgorithm
        match key:
            case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()):
                self.algorithm, self.jws, hashed = ECDSA_SHA256, "ES256", hashes.SHA256()
            case ec.EllipticCurvePrivateKey(curve=ec.SECP384R1()):
                self.algorithm, self.jws, hashed = ECDSA_SHA384, "ES384", hashes.SHA384()
            case rsa.RSAPrivateKey() if key.key_size >= 2048:
                self.algorithm, self.jws, hashed = RSA_SHA256, "RS256", hashes.SHA256()
            case _:
                raise Misused(Reason.ALGORITHM, "CA key", hint="P-256, P-384, or RSA of 2048 bits or more")
        self._key = key
        self._hash = hashed
        self.spki = spki_of(key.public_key())

    def sign(self, message: bytes) -> bytes:
        """See `Signer.sign`."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(self._hash))
        return self._key.sign(message, padding.PKCS1v15(), self._hash)


def jws_signature(signer: Signer, message: bytes) -> bytes:
    """A signature as JWS has it: for ECDSA r and s side by side (RFC 7518 section 3.4)."""
    signature = signer.sign(message)
    size = {"ES256": 32, "ES384": 48}.get(signer.jws)
    if size is None:
        return signature
    r, s = decode_dss_signature(signature)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")
