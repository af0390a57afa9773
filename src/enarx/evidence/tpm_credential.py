# SPDX-License-Identifier: Apache-2.0
"""MakeCredential without a TPM: a secret that only the TPM with this endorsement key and this attestation key opens.

An EK certificate beside an AK proves nothing; a TPM that gives the secret back has both.
Sources: TPM 2.0 Library, Part 1, section 24 "Credential Protection" annex C.6.4 (ECC),
annex B.10.4 (RSA); KDFa and KDFe, section 11.4.10; TCG EK Credential Profile, templates L-1 and L-2
(RSA 2048, P-256; SHA-256, AES-128-CFB).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import msgspec
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from enarx.codec.x509 import PublicKey
from enarx.errors import Misused, Reason

SECRET = 32
"""Bytes of a credential: no more than the name algorithm's digest."""
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Randomness = Callable[[int], bytes]
"""As many random bytes as asked for (`secrets.token_bytes`)."""


class Challenge(msgspec.Struct, frozen=True):
    """What a TPM is given: TPM2B_ID_OBJECT's and TPM2B_ENCRYPTED_SECRET's buffers."""

    blob: bytes
    secret: bytes


def make_credential(credential: bytes, *, ek: PublicKey, ak_name: bytes, randomness: Randomness) -> Challenge:
    """Protect `credential` (at most 32 bytes) for the TPM that holds `ek` and a key of that name.

    `ek` is of P-256 (template L-2) or RSA of 2048 bits (L-1), name algorithm SHA-256.
    """
    if len(credential) > SECRET:
        raise Misused(Reason.WRONG_LENGTH, "credential: at most 32 bytes")
    if isinstance(ek, ec.EllipticCurvePublicKey) and isinstance(ek.curve, ec.SECP256R1):
        seed, secret = _agreed(ek, randomness)
    elif isinstance(ek, rsa.RSAPublicKey) and ek.key_size == 2048:
        seed, secret = _encrypted(ek, randomness)
    else:
        raise Misused(Reason.ALGORITHM, "endorsement key: P-256 or RSA of 2048 bits")
    key = _kdfa(seed, b"STORAGE", ak_name, 128)
    encryptor = Cipher(algorithms.AES(key), CFB(bytes(16))).encryptor()
    hidden = encryptor.update(_sized(credential)) + encryptor.finalize()
    outer = hmac.digest(_kdfa(seed, b"INTEGRITY", b"", 256), hidden + ak_name, "sha256")
    return Challenge(_sized(outer) + hidden, secret)


def _agreed(ek: ec.EllipticCurvePublicKey, randomness: Randomness) -> tuple[bytes, bytes]:
    """A seed by a one-time key, and its point (annex C.6.4)."""
    scalar = int.from_bytes(randomness(48), "big") % (_P256_ORDER - 1) + 1
    ephemeral = ec.derive_private_key(scalar, ec.SECP256R1())
    own, theirs = ephemeral.public_key().public_numbers(), ek.public_numbers()
    shared = ephemeral.exchange(ec.ECDH(), ek)
    seed = _kdfe(shared, b"IDENTITY", own.x.to_bytes(32, "big"), theirs.x.to_bytes(32, "big"))
    return seed, _sized(own.x.to_bytes(32, "big")) + _sized(own.y.to_bytes(32, "big"))


def _encrypted(ek: rsa.RSAPublicKey, randomness: Randomness) -> tuple[bytes, bytes]:
    """A random seed, encrypted (annex B.10.4)."""
    seed = randomness(32)
    hashed = hashes.SHA256()
    return seed, ek.encrypt(seed, padding.OAEP(padding.MGF1(hashed), hashed, b"IDENTITY\0"))


def name_of(public: bytes) -> bytes:
    """The name of a TPMT_PUBLIC whose name algorithm is SHA-256."""
    return (0x000B).to_bytes(2, "big") + hashlib.sha256(public).digest()


def _sized(body: bytes) -> bytes:
    return len(body).to_bytes(2, "big") + body


def _kdfa(key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """KDFa (SP 800-108 counter mode, HMAC-SHA-256), at most 256 bits."""
    made = hmac.digest(key, (1).to_bytes(4, "big") + label + b"\0" + context + bits.to_bytes(4, "big"), "sha256")
    return made[: bits // 8]


def _kdfe(shared: bytes, use: bytes, party_u: bytes, party_v: bytes) -> bytes:
    """256 bits of KDFe (SP 800-56A concatenation KDF, SHA-256)."""
    return hashlib.sha256((1).to_bytes(4, "big") + shared + use + b"\0" + party_u + party_v).digest()
