# SPDX-License-Identifier: Apache-2.0
"""What a tenant and a Keep say to each other when secrets are released.

Over TLS 1.3 with the ALPN protocol `enarx-release/1`: the tenant asks with a fresh nonce, the
Keep offers evidence over a one-time public key, the tenant judges it and sends a parcel sealed
to that key, the Keep says that it has it. Each message is a 4-byte big-endian length and
deterministic CBOR. No IO here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.codec.digest import sha256
from enarx.delivery.message import VERSION, require_size, table
from enarx.errors import Malformed, Misused, Reason
from enarx.evidence import endorsement
from enarx.evidence.endorsement import Endorsements

ALPN = b"enarx-release/1"
NONCE_SIZE = 32
PUBLIC_SIZE = 32
"""An X25519 public key (RFC 9180 section 7.1, Npk of DHKEM(X25519))."""
MAX_SECRETS = 64
MAX_BYTES = 1 << 20
"""All secrets of one release together, encoded."""
MAX_ASK = 1024
MAX_OFFER = 8 << 20
MAX_PARCEL = MAX_BYTES + 1024
MAX_RECEIPT = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", re.ASCII)


class Ask(msgspec.Struct, frozen=True):
    """The tenant's challenge: 32 fresh bytes."""

    nonce: bytes

    def encoded(self) -> bytes:
        """The message."""
        return cbor.encode({"v": VERSION, "nonce": self.nonce})


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A Keep's evidence (a CMW) for purpose `release`, what may vouch for it, its launch document.

    hpke  the one-time public key, 32 bytes; believed when the evidence's binding holds it
    """

    evidence: bytes
    endorsements: Endorsements
    launch: bytes
    hpke: bytes

    def encoded(self) -> bytes:
        """The message."""
        return cbor.encode(
            {
                "v": VERSION,
                "evidence": self.evidence,
                "endorsements": endorsement.encode(self.endorsements),
                "launch": self.launch,
                "hpke": self.hpke,
            }
        )


class Parcel(msgspec.Struct, frozen=True):
    """Secrets on their way: sealed to the one-time key, and signed by the tenant of the launch document.

    sealed     encapsulated key ‖ ciphertext (RFC 9180 section 6.1, base mode)
    signature  by the tenant's key, over the binding's digest and `sealed`
    """

    sealed: bytes
    signature: bytes

    def encoded(self) -> bytes:
        """The message."""
        return cbor.encode({"v": VERSION, "sealed": self.sealed, "signature": self.signature})

    def receipt(self) -> Receipt:
        """What a Keep says that has opened it."""
        return Receipt(sha256(self.encoded()))


class Receipt(msgspec.Struct, frozen=True):
    """The Keep has opened the parcel whose message has this SHA-256."""

    taken: bytes

    def encoded(self) -> bytes:
        """The message."""
        return cbor.encode({"v": VERSION, "taken": self.taken})


class Secrets(msgspec.Struct, frozen=True):
    """Secrets by name. Nothing of them appears when this is shown."""

    values: Mapping[str, bytes]

    def __post_init__(self) -> None:
        if not 1 <= len(self.values) <= MAX_SECRETS:
            raise Misused(Reason.WRONG_LENGTH, f"{len(self.values)} secrets, 1 to {MAX_SECRETS}")
        if strange := [name for name in self.values if not _NAME.match(name)]:
            hint = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first"
            raise Misused(Reason.SYNTAX, f"name of a secret {strange[0]!r}", hint=hint)

    def __repr__(self) -> str:
        return f"Secrets({sorted(self.values)})"

    def encoded(self) -> bytes:
        """What is sealed; `Misused` beyond 1 MiB."""
        raw = cbor.encode({"v": VERSION, "secrets": dict(self.values)})
        if len(raw) > MAX_BYTES:
            raise Misused(Reason.TOO_LARGE, f"secrets: {len(raw)} bytes together, at most {MAX_BYTES}")
        return raw


def parse_ask(raw: bytes) -> Ask:
    """`Malformed` unless it is one well-formed challenge."""
    found = table(raw, "ask", {"nonce": bytes})
    require_size(found["nonce"], NONCE_SIZE, "ask: nonce")
    return Ask(found["nonce"])


def parse_offer(raw: bytes) -> Offer:
    """`Malformed` unless it is one well-formed offer. Nothing in it is believed yet."""
    found = table(raw, "offer", {"evidence": bytes, "endorsements": bytes, "launch": bytes, "hpke": bytes})
    require_size(found["hpke"], PUBLIC_SIZE, "offer: hpke")
    return Offer(
        evidence=found["evidence"],
        endorsements=endorsement.decode(found["endorsements"]),
        launch=found["launch"],
        hpke=found["hpke"],
    )


def parse_parcel(raw: bytes) -> Parcel:
    """`Malformed` unless it is one well-formed parcel."""
    found = table(raw, "parcel", {"sealed": bytes, "signature": bytes})
    return Parcel(found["sealed"], found["signature"])


def parse_receipt(raw: bytes) -> Receipt:
    """`Malformed` unless it is one well-formed receipt."""
    found = table(raw, "receipt", {"taken": bytes})
    require_size(found["taken"], 32, "receipt: taken")
    return Receipt(found["taken"])


def parse_secrets(raw: bytes) -> Secrets:
    """What was sealed. `Malformed` without a word of what is in it."""
    found: Any = table(raw, "secrets", {"secrets": dict})["secrets"]
    if not all(isinstance(name, str) and type(value) is bytes for name, value in found.items()):
        raise Malformed(Reason.WRONG_TYPE, "secrets: byte strings by name")
    try:
        return Secrets(found)
    except Misused as error:
        raise Malformed(error.reason, "secrets: names") from None
