# SPDX-License-Identifier: Apache-2.0
"""A simulated PSA device: attestation tokens in Arm's exact format under a key made for one run."""

from __future__ import annotations

from typing import Any, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enarx.codec import cbor
from enarx.evidence.anchor import SIMULATED, Anchors
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated.cose import sign1

PROFILE = "tag:psacertified.org,2023:psa#tfm"
FIRST_PROFILE = "PSA_IOT_PROFILE_1"
_FIRST = {
    265: -75000,
    2394: -75001,
    2395: -75002,
    2396: -75003,
    268: -75004,
    2398: -75005,
    2399: -75006,
    10: -75008,
    256: -75009,
    2400: -75010,
}
"""The labels of the first profile, by those of RFC 9783."""


def component(name: str, octet: int, signer: int = 0x51) -> dict[int, Any]:
    """A software component whose measurement is 32 of one octet."""
    return {1: name, 2: bytes([octet]) * 32, 4: "1.2.3", 5: bytes([signer]) * 32, 6: "sha-256"}


class SimulatedPsa(msgspec.Struct, frozen=True):
    """One device and its initial attestation key."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls) -> Self:
        """A device with a fresh P-256 key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @property
    def spki(self) -> bytes:
        """The attestation key's SubjectPublicKeyInfo, DER."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def anchors(self) -> Anchors:
        """The anchor set in which this key, and nothing else, is believed."""
        return Anchors(SIMULATED, {}, (self.spki,))

    def claims(self, nonce: bytes, /, **changes: Any) -> dict[int, Any]:
        """The claims by RFC 9783's labels; `changes` replace them by name, None leaves one out."""
        table: dict[str, tuple[int, Any]] = {
            "profile": (265, PROFILE),
            "nonce": (10, nonce),
            "client_id": (2394, 1),
            "lifecycle": (2395, 0x3000),
            "implementation_id": (2396, b"\xa1" * 32),
            "boot_seed": (268, b"\xb0" * 32),
            "certification_reference": (2398, "1234567890123-12345"),
            "components": (2399, [component("BL", 0x11), component("SPE", 0x12)]),
            "instance_id": (256, b"\x01" + b"\xc1" * 32),
            "verification_service": (2400, "https://verifier.example"),
        }
        values = {name: changes.get(name, value) for name, (_, value) in table.items()}
        return {table[name][0]: value for name, value in values.items() if value is not None}

    def token(
        self, nonce: bytes, /, *, first: bool = False, headers: dict[str, Any] | None = None, **changes: Any
    ) -> bytes:
        """A token over `nonce`; `first` uses the labels of PSA_IOT_PROFILE_1."""
        if first:
            changes = {"profile": FIRST_PROFILE, **changes}
        table = self.claims(nonce, **changes)
        if first:
            table = {_FIRST[label]: value for label, value in table.items()}
        return sign1(cbor.encode(table), self.key, **(headers or {}))

    def evidence(self, nonce: bytes, /, **changes: Any) -> Evidence:
        """The token as evidence."""
        return Evidence(Kind.PSA, self.token(nonce, **changes))
