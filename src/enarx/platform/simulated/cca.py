# SPDX-License-Identifier: Apache-2.0
"""A simulated Arm CCA platform with one realm: tokens in Arm's exact format under keys made for one run."""

from __future__ import annotations

import hashlib
from typing import Any, Self

import cbor2
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enarx.codec import cbor
from enarx.evidence.anchor import SIMULATED, Anchors
from enarx.evidence.cca import EAT_CWT, PLATFORM, REALM, TAG, TAG_LEGACY
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated.cose import sign1
from enarx.platform.simulated.psa import component

PLATFORM_PROFILE = "tag:arm.com,2024:cca_platform#2.0.0"
REALM_PROFILE = "tag:arm.com,2024:realm#2.0.0"


class SimulatedCca(msgspec.Struct, frozen=True):
    """A platform with its attestation key, and a realm with the key that the realm manager made for it."""

    platform_key: ec.EllipticCurvePrivateKey
    realm_key: ec.EllipticCurvePrivateKey

    @classmethod
    def made(cls) -> Self:
        """A platform and a realm with fresh P-384 keys."""
        return cls(ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1()))

    @property
    def spki(self) -> bytes:
        """The platform attestation key's SubjectPublicKeyInfo, DER."""
        return self.platform_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def anchors(self) -> Anchors:
        """The anchor set in which this platform's key, and nothing else, is believed."""
        return Anchors(SIMULATED, {}, (self.spki,))

    def point(self) -> bytes:
        """The realm's public key as an uncompressed point, which the legacy profile carries."""
        return self.realm_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def cose_key(self) -> bytes:
        """The realm's public key as a COSE_Key."""
        point = self.point()
        half = (len(point) - 1) // 2
        return cbor.encode({1: 2, -1: 2, -2: point[1 : 1 + half], -3: point[1 + half :]})

    def platform_claims(self, realm_key: bytes, /, **changes: Any) -> dict[int, Any]:
        """The platform's claims; `changes` replace them by name, None leaves one out."""
        return _labelled(
            {
                "platform_profile": (265, PLATFORM_PROFILE),
                "platform_challenge": (10, hashlib.sha256(realm_key).digest()),
                "implementation_id": (2396, b"\xa2" * 32),
                "instance_id": (256, b"\x01" + b"\xc2" * 32),
                "configuration": (2401, b"\xcf\xcf\xcf\xcf"),
                "lifecycle": (2395, 0x3000),
                "components": (2399, [component("RSE_BL2", 0x21), component("RMM", 0x22)]),
                "platform_hash": (2402, "sha-256"),
                "verification_service": (2400, "https://verifier.example"),
                "client_id": (2394, 1),
            },
            changes,
        )

    def realm_claims(self, challenge: bytes, /, **changes: Any) -> dict[int, Any]:
        """The realm's claims; `changes` replace them by name, None leaves one out."""
        return _labelled(
            {
                "realm_profile": (265, REALM_PROFILE),
                "challenge": (10, challenge),
                "realm_instance_id": (256, b"\x01" + b"\xd2" * 32),
                "personalization": (44235, bytes(64)),
                "initial_measurement": (44238, b"\x31" * 32),
                "extensible": (44239, [bytes(32), b"\x41" * 32, bytes(32), bytes(32)]),
                "realm_hash": (44236, "sha-256"),
                "realm_public_key": (44237, self.cose_key()),
                "key_hash": (44240, "sha-256"),
                "mec_policy": (44243, "private"),
            },
            changes,
        )

    def token(self, challenge: bytes, /, *, legacy: bool = False, **changes: Any) -> bytes:
        """A token over `challenge` (64 bytes); `legacy` is the form before the draft had profiles."""
        if legacy:
            older = {"realm_profile": None, "realm_public_key": self.point(), "mec_policy": None}
            changes = {**older, "platform_profile": "http://arm.com/CCA-SSD/1.0.0", "client_id": None, **changes}
        realm = self.realm_claims(challenge, **changes)
        key = realm.get(44237)
        platform = self.platform_claims(key if isinstance(key, bytes) else b"", **changes)
        tokens = {
            PLATFORM: sign1(cbor.encode(platform), self.platform_key),
            REALM: sign1(cbor.encode(realm), self.realm_key),
        }
        if legacy:
            return cbor.encode(cbor2.CBORTag(TAG_LEGACY, tokens))
        return cbor.encode(cbor2.CBORTag(TAG, {label: [EAT_CWT, token] for label, token in tokens.items()}))

    def evidence(self, challenge: bytes, /, **changes: Any) -> Evidence:
        """The token as evidence."""
        return Evidence(Kind.CCA, self.token(challenge, **changes))


def _labelled(table: dict[str, tuple[int, Any]], changes: dict[str, Any]) -> dict[int, Any]:
    values = {name: changes.get(name, value) for name, (_, value) in table.items()}
    return {table[name][0]: value for name, value in values.items() if value is not None}
