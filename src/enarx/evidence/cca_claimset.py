# SPDX-License-Identifier: Apache-2.0
"""The two claim sets of a CCA token, as values: what the platform says, and what the realm says.

Source: draft-ffm-rats-cca-token (cited by section), and Arm DEN0137, the RMM specification.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from enarx.errors import Malformed, Reason
from enarx.evidence.psa_claimset import HASH_SIZES, ClaimSet, Component

T = TypeVar("T")

PLATFORM_1 = frozenset(("http://arm.com/CCA-SSD/1.0.0", "tag:arm.com,2023:cca_platform#1.0.0"))
PLATFORM_2 = frozenset(("tag:arm.com,2024:cca_platform#2.0.0",))
REALM_1 = frozenset(("tag:arm.com,2023:realm#1.0.0",))
REALM_2 = frozenset(("tag:arm.com,2024:realm#2.0.0",))
"""Profiles by the claims that they make mandatory. A realm without one is of DEN0137 before 1.0."""

PERSONALIZATION_SIZE = 64
CHALLENGE_SIZE = 64
EXTENSIBLE_MEASUREMENTS = 4
MAX_CONFIG = 4096
MAX_KEY = 512


class Platform(msgspec.Struct, frozen=True):
    """What the platform's root of trust says (section 4.6 of the draft).

    profile           claim 265, or None
    challenge         claim 10: the hash of the realm's public key claim
    lifecycle         claim 2395
    configuration     claim 2401, or None where no profile demands it
    hash_algorithm    claim 2402, or None likewise
    """

    profile: str | None
    challenge: bytes
    implementation_id: bytes
    instance_id: bytes
    configuration: bytes | None
    lifecycle: int
    components: tuple[Component, ...]
    verification_service: str | None
    hash_algorithm: str | None


class Realm(msgspec.Struct, frozen=True):
    """What the realm manager says of the realm (section 4.7 of the draft).

    challenge           claim 10, 64 bytes: what the realm asked to be signed
    personalization     claim 44235, 64 bytes: what the host set before the realm started
    initial_measurement claim 44238 (RIM)
    extensible          claim 44239 (REM), four
    hash_algorithm      claim 44236: of RIM and REM
    public_key          claim 44237, the bytes as received
    key_hash_algorithm  claim 44240: of the binding to the platform
    mec_policy          claim 44243, or None
    """

    profile: str | None
    challenge: bytes
    personalization: bytes
    initial_measurement: bytes
    extensible: tuple[bytes, ...]
    hash_algorithm: str
    public_key: bytes
    key_hash_algorithm: str
    mec_policy: str | None


def platform_of(payload: bytes) -> Platform:
    """The platform's claim set."""
    claims = ClaimSet(payload, "CCA platform token")
    profile = _profile(claims, PLATFORM_1 | PLATFORM_2, "CCA platform token")
    if profile in PLATFORM_2:
        claims.integer(2394, "client id", 1, 1)
    stated = profile is not None
    return Platform(
        profile,
        claims.octets(10, "challenge", HASH_SIZES),
        claims.octets(2396, "implementation id", (32,)),
        claims.instance_id(256),
        _where(stated, claims, 2401, lambda: claims.octets(2401, "configuration", range(1, MAX_CONFIG + 1))),
        claims.lifecycle(2395),
        claims.components(2399),
        claims.optional_text(2400, "verification service"),
        _where(stated, claims, 2402, lambda: _hash(claims, 2402, "hash algorithm")),
    )


def realm_of(payload: bytes) -> Realm:
    """The realm's claim set."""
    claims = ClaimSet(payload, "CCA realm token")
    profile = _profile(claims, REALM_1 | REALM_2, "CCA realm token")
    return Realm(
        profile,
        claims.octets(10, "challenge", (CHALLENGE_SIZE,)),
        claims.octets(44235, "personalization value", (PERSONALIZATION_SIZE,)),
        claims.octets(44238, "initial measurement", HASH_SIZES),
        _extensible(claims),
        _hash(claims, 44236, "hash algorithm"),
        claims.octets(44237, "public key", range(1, MAX_KEY + 1)),
        _hash(claims, 44240, "public key hash algorithm"),
        _mec_policy(claims, required=profile in REALM_2),
    )


def _profile(claims: ClaimSet, known: frozenset[str], what: str) -> str | None:
    profile = claims.optional_text(265, "profile")
    if profile is not None and profile not in known:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: profile {profile[:80]!r}")
    return profile


def _where(stated: bool, claims: ClaimSet, label: int, read: Callable[[], T]) -> T | None:  # noqa: FBT001
    """Mandatory in every profile; a token that states none may be older than the claim."""
    return read() if stated or label in claims else None


def _hash(claims: ClaimSet, label: int, name: str) -> str:
    return claims.text(label, name, r"sha-(256|384|512)")


def _extensible(claims: ClaimSet) -> tuple[bytes, ...]:
    found = claims.items(44239, "extensible measurements", EXTENSIBLE_MEASUREMENTS)
    sizes = [len(one) for one in found if isinstance(one, bytes)]
    if len(sizes) != EXTENSIBLE_MEASUREMENTS or not HASH_SIZES.issuperset(sizes):
        raise Malformed(Reason.WRONG_LENGTH, "CCA realm token: extensible measurements (44239)")
    return tuple(found)


def _mec_policy(claims: ClaimSet, *, required: bool) -> str | None:
    """Text in the draft since -03; 0 and 1 in tokens made before it."""
    if 44243 not in claims:
        if required:
            raise Malformed(Reason.MISSING, "CCA realm token: MEC policy (44243)")
        return None
    try:
        return claims.text(44243, "MEC policy", "private|shared")
    except Malformed as error:
        if error.reason is not Reason.WRONG_TYPE:
            raise
    return ("0", "1")[claims.integer(44243, "MEC policy", 0, 1)]
