# SPDX-License-Identifier: Apache-2.0
"""Digests with their algorithm and size."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from enarx.errors import Malformed, Reason

SIZES = {"sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
"""Digest algorithms by their IANA hash name, with their size in bytes (FIPS 180-4)."""


def sha256(raw: bytes) -> bytes:
    """SHA-256 of `raw`, 32 bytes."""
    return hashlib.sha256(raw).digest()


def sha384(raw: bytes) -> bytes:
    """SHA-384 of `raw`, 48 bytes."""
    return hashlib.sha384(raw).digest()


def sha512(raw: bytes) -> bytes:
    """SHA-512 of `raw`, 64 bytes."""
    return hashlib.sha512(raw).digest()


def same(a: bytes, b: bytes) -> bool:
    """Whether two byte strings are equal, in time that does not depend on where they differ."""
    return hmac.compare_digest(a, b)


class Digest(msgspec.Struct, frozen=True):
    """A digest that knows its algorithm; two digests cannot be swapped by accident."""

    algorithm: str
    raw: bytes

    def __post_init__(self) -> None:
        if SIZES.get(self.algorithm) != len(self.raw):
            raise Malformed(Reason.WRONG_LENGTH, f"{self.algorithm} digest of {len(self.raw)} bytes")

    @classmethod
    def of(cls, raw: bytes, algorithm: str = "sha-256") -> Digest:
        """The digest of `raw`."""
        return cls(algorithm, hashlib.new(algorithm.replace("-", ""), raw).digest())

    def __str__(self) -> str:
        return f"{self.algorithm.replace('-', '')}:{self.raw.hex()}"


def unhex(text: str, what: str, *, size: int | None = None) -> bytes:
    """Bytes from hexadecimal text, of `size` bytes if given; `Malformed` otherwise."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise Malformed(Reason.SYNTAX, f"{what}: not hexadecimal") from None
    if len(raw) * 2 != len(text):  # fromhex skips white space
        raise Malformed(Reason.SYNTAX, f"{what}: not hexadecimal")
    if size is not None and len(raw) != size:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: {len(raw)} bytes, expected {size}")
    return raw
