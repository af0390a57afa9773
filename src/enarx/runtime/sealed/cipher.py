# SPDX-License-Identifier: Apache-2.0
"""Keys of a sealed volume, and its objects: authenticated encryption, each object under a key of its own.

Source: docs/formats/sealed.md; HKDF is RFC 5869, AES-256-GCM is NIST SP 800-38D.
"""

from __future__ import annotations

import hashlib
import os
from struct import Struct

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from enarx.errors import Reason, Unauthentic

LABEL = b"enarx-sealed-1\0"
KEY_SIZE = 32
SALT_SIZE = 16
TAG_SIZE = 16
VOLUME_SIZE = 16
NAME_SIZE = 32
PIECE = 1 << 16
"""Plaintext bytes of an object, at most."""
CHUNK, INDEX, TREE, ROOT = 1, 2, 3, 4
_PLACE = Struct(">BQQ")
_ZERO_NONCE = bytes(12)
"""Each key encrypts one thing, so the nonce need not change."""


class Scope(msgspec.Struct, frozen=True):
    """Which Keeps get the same keys.

    bind              "launch" or "signer"
    parts             deterministic CBOR: whom the keys are for
    security_version  of the package, as its signer signed it; 0 with "launch"
    """

    bind: str
    parts: bytes
    security_version: int = 0

    def wrapping_key(self, root: bytes, volume: bytes, security_version: int) -> bytes:
        """The key that wraps the volume's own key at a security version."""
        info = LABEL + b"kek\0" + self.parts + security_version.to_bytes(4, "big")
        return HKDF(SHA256(), KEY_SIZE, volume, info).derive(root)


def name_of(raw: bytes) -> bytes:
    """An object's name, 32 bytes."""
    return hashlib.sha256(raw).digest()


def encrypt(key: bytes, purpose: bytes, plain: bytes, associated: bytes) -> bytes:
    """`plain` under a fresh key of its own, derived from `key`."""
    salt = os.urandom(SALT_SIZE)
    return salt + AESGCM(_derived(key, purpose, salt)).encrypt(_ZERO_NONCE, plain, associated)


def decrypt(key: bytes, purpose: bytes, raw: bytes, associated: bytes, what: str) -> bytes:
    """What `encrypt` was given; `Unauthentic` for anything that it did not make."""
    try:
        derived = _derived(key, purpose, raw[:SALT_SIZE])
        return AESGCM(derived).decrypt(_ZERO_NONCE, raw[SALT_SIZE:], associated)
    except InvalidTag:
        raise Unauthentic(Reason.SIGNATURE_INVALID, f"sealed volume: {what} was not sealed here") from None


def _derived(key: bytes, purpose: bytes, salt: bytes) -> bytes:
    return HKDFExpand(SHA256(), KEY_SIZE, LABEL + purpose + b"\0" + salt).derive(key)


class Cipher:
    """Seals and opens the objects of one volume."""

    def __init__(self, volume: bytes, key: bytes) -> None:
        self.volume = volume
        self._key = key

    def seal(self, plain: bytes, kind: int, inode: int, index: int, more: bytes = b"") -> bytes:
        """An object for exactly this place."""
        return encrypt(self._key, b"object", plain, self._place(kind, inode, index) + more)

    def open(self, raw: bytes, kind: int, inode: int, index: int, more: bytes = b"") -> bytes:
        """The plaintext of an object that was sealed for this place."""
        what = f"object {index} of kind {kind} of node {inode}"
        return decrypt(self._key, b"object", raw, self._place(kind, inode, index) + more, what)

    def wrapped(self, wrapping_key: bytes) -> bytes:
        """The volume's key under another."""
        return encrypt(wrapping_key, b"wrap", self._key, self.volume)

    def _place(self, kind: int, inode: int, index: int) -> bytes:
        return self.volume + _PLACE.pack(kind, inode, index)


def new_cipher() -> Cipher:
    """A new volume with a new key."""
    return Cipher(os.urandom(VOLUME_SIZE), os.urandom(KEY_SIZE))


def unwrapped(raw: bytes, wrapping_key: bytes, volume: bytes) -> Cipher:
    """The cipher of a volume whose key is wrapped; `Unauthentic` under another wrapping key."""
    return Cipher(volume, decrypt(wrapping_key, b"wrap", raw, volume, "its key, for this root and scope,"))
