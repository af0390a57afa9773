# SPDX-License-Identifier: Apache-2.0
"""MakeCredential without a TPM: a secret that only the TPM with this endorsement key and this attestation key opens.

An EK certificate beside an AK proves nothing; a TPM that gives the secret back has both.
Sources: TPM 2.0 Library, Part 1, section 24 "Credential Protection" and annex C.6.4 (ECC);
KDFa and KDFe, section 11.4.10; TCG EK Credential Profile, template L-2 (P-256, SHA-256, AES-128-CFB).
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from enarx.errors import Misused, Reason

SECRET = 32
"""Bytes of a credential: no more than the name algorithm's digest."""


class Challenge(msgspec.Struct, frozen=True):
    """What a TPM is given: TPM2B_ID_OBJECT's and TPM2B_ENCRYPTED_SECRET's buffers."""

    blob: bytes
    secret: bytes


def make_credential(
    credential: bytes, *, ek: ec.EllipticCurvePublicKey, ak_name: bytes, ephemeral: ec.EllipticCurvePrivateKey
) -> Challenge:
    """Protect `credential` for the TPM that holds `ek` and a key of that name.

    `ephemeral` is a fresh P-256 key, used once.
    """
    if len(credential) > SECRET or not isinstance(ek.curve, ec.SECP256R1):
        raise Misused(Reason.WRONG_LENGTH, "credential: at most 32 bytes for a P-256 endorsement key")
    shared = ephemeral.exchange(ec.ECDH(), ek)
    own, theirs = ephemeral.public_key().public_numbers(), ek.public_numbers()
    seed = _kdfe(shared, b"IDENTITY", own.x.to_bytes(32, "big"), theirs.x.to_bytes(32, "big"))
    key = _kdfa(seed, b"STORAGE", ak_name, 128)
    encryptor = Cipher(algorithms.AES(key), CFB(bytes(16))).encryptor()
    hidden = encryptor.update(_sized(credential)) + encryptor.finalize()
    outer = hmac.digest(_kdfa(seed, b"INTEGRITY", b"", 256), hidden + ak_name, "sha256")
    point = _sized(own.x.to_bytes(32, "big")) + _sized(own.y.to_bytes(32, "big"))
    return Challenge(_sized(outer) + hidden, point)


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
