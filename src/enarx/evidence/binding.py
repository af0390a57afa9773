# SPDX-License-Identifier: Apache-2.0
"""What the hardware signs over: one map that ties evidence to a key, a nonce and a launch.

The verifier builds the map from values of its own and compares digests. Nothing in a map that
a stranger sent is ever used; `parse` exists only to say what was wrong with it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.codec.digest import sha256, sha384, sha512
from enarx.errors import Malformed, Misused, Reason
from enarx.evidence.kind import Kind

LABEL = b"enarx-binding-1"
VERSION = 1
EXPORTER_LABEL = b"EXPORTER-enarx-attest-1"
"""TLS exporter (RFC 8446 section 7.5) label; its context is the nonce, its length 32 bytes."""


class Purpose(StrEnum):
    """What the evidence is for. Evidence for one purpose is none for another."""

    ISSUE = "issue"
    CHANNEL = "channel"
    RELEASE = "release"
    HANDOVER = "handover"
    GUEST = "guest"


_SIZES = {"spki": 48, "nonce": 32, "launch": 32, "exporter": 32}
_ONLY_IN = {"exporter": Purpose.CHANNEL, "hpke": Purpose.RELEASE, "data": Purpose.GUEST}


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """The map. Sizes in bytes: spki 48 (SHA-384 of the SubjectPublicKeyInfo), nonce 32, launch 32.

    exporter 32, required for `channel` and forbidden elsewhere; hpke, a one-time public key,
    for `release` only; data, the guest's bytes, for `guest` only.
    """

    purpose: Purpose
    spki: bytes
    nonce: bytes
    launch: bytes
    exporter: bytes | None = None
    hpke: bytes | None = None
    data: bytes | None = None

    def __post_init__(self) -> None:
        for name, size in _SIZES.items():
            value = getattr(self, name)
            if value is not None and len(value) != size:
                raise Misused(Reason.WRONG_LENGTH, f"binding: {name} has {len(value)} bytes, expected {size}")
        for name, purpose in _ONLY_IN.items():
            if (getattr(self, name) is not None) != (self.purpose is purpose):
                raise Misused(Reason.INCONSISTENT, f"binding: {name} belongs to purpose {purpose} and to no other")

    def encoded(self) -> bytes:
        """The label, a zero byte, and the map in deterministic CBOR."""
        table: dict[str, object] = {"v": VERSION, "purpose": str(self.purpose)}
        for name in ("spki", "nonce", "launch", "exporter", "hpke", "data"):
            value = getattr(self, name)
            if value is not None:
                table[name] = value
        return LABEL + b"\0" + cbor.encode(table)

    def sha512(self) -> bytes:
        """64 bytes for the report_data of SNP, TDX, SGX and the challenge of CCA."""
        return sha512(self.encoded())

    def sha256(self) -> bytes:
        """32 bytes for TPM extraData, the NVIDIA nonce, Nitro user_data."""
        return sha256(self.encoded())


_SHA512 = frozenset({Kind.SNP, Kind.SGX, Kind.TDX, Kind.CCA, Kind.PSA, Kind.NONE})
"""Where 64 bytes fit; the others sign over the SHA-256 of the map (Azure through its AK's quote)."""


def bound_digest(kind: Kind, binding: Binding) -> bytes:
    """What the hardware of this kind signs over."""
    return binding.sha512() if kind in _SHA512 else binding.sha256()


def spki_digest(spki: bytes) -> bytes:
    """SHA-384 of a DER SubjectPublicKeyInfo."""
    return sha384(spki)


def parse(raw: bytes) -> Binding:
    """A map as someone sent it. `Malformed` for a missing, unknown, duplicate or ill-sized key."""
    head = LABEL + b"\0"
    if not raw.startswith(head):
        raise Malformed(Reason.UNKNOWN_VERSION, "binding: label")
    table: Any = cbor.decode_canonical(raw[len(head) :], "binding")
    if not isinstance(table, dict) or table.pop("v", None) != VERSION:
        raise Malformed(Reason.UNKNOWN_VERSION, "binding: v")
    known = {"purpose", "spki", "nonce", "launch", "exporter", "hpke", "data"}
    if unknown := table.keys() - known:
        raise Malformed(Reason.UNKNOWN_KEY, f"binding: {min(map(str, unknown))!r}")
    if missing := {"purpose", "spki", "nonce", "launch"} - table.keys():
        raise Malformed(Reason.MISSING, f"binding: {min(missing)!r}")
    purpose = table.pop("purpose")
    if purpose not in list(Purpose):
        raise Malformed(Reason.UNKNOWN_VALUE, "binding: purpose")
    if not all(isinstance(value, bytes) for value in table.values()):
        raise Malformed(Reason.WRONG_TYPE, "binding: byte strings expected")
    try:
        return Binding(purpose=Purpose(purpose), **table)
    except Misused as error:
        raise Malformed(error.reason, error.subject) from None
