# SPDX-License-Identifier: Apache-2.0
"""Arm PSA attestation tokens (RFC 9783): parsed, and believed by a key that the caller names.

Three sets of labels are read: RFC 9783's, PSA 2.0.0's (the same labels under another profile
name) and the first one, -75000 to -75010, of PSA_IOT_PROFILE_1. Only COSE_Sign1: a COSE_Mac0
needs a secret that the verifier shares with the device, so it proves nothing to anyone else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.errors import Malformed, Reason
from enarx.evidence import cose
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Trail
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.psa_claimset import (
    HASH_SIZES,
    ClaimSet,
    Component,
    components_shown,
    is_debug,
    lifecycle_state,
)
from enarx.evidence.psa_key import require_named_key

WHAT = "PSA token"
MAX_BYTES = 64 << 10

PROFILES = frozenset(("http://arm.com/psa/2.0.0", "tag:psacertified.org,2023:psa#tfm"))
"""Values of claim 265 that mean the labels of RFC 9783 section 4."""
FIRST_PROFILES = frozenset(("PSA_IOT_PROFILE_1", "tag:psacertified.org,2019:psa#legacy"))
"""Values of claim -75000, which the first profile leaves free."""

_HARDWARE_VERSION = r"[0-9]{13}(-[0-9]{5})?"
_CERTIFICATION_REFERENCE = r"[0-9]{13}-[0-9]{5}"
_BOOT_SEED = range(8, 33)


class Report(msgspec.Struct, frozen=True):
    """A PSA token as received. Parsed, not believed.

    profile     claim 265 or -75000; None where the first profile leaves it out
    nonce       the challenge, 32, 48 or 64 bytes
    components  measured software; empty only when the token says that nothing was measured
    """

    raw: bytes
    sign1: cose.Sign1
    profile: str | None
    nonce: bytes
    client_id: int
    lifecycle: int
    implementation_id: bytes
    instance_id: bytes
    boot_seed: bytes | None
    certification_reference: str | None
    verification_service: str | None
    components: tuple[Component, ...]


def parse(raw: bytes) -> Report:
    """Read a token to its last byte."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{WHAT}: {len(raw)} bytes")
    sign1 = cose.sign1_of(_untagged(cbor.decode(raw, WHAT)), WHAT, tag="required")
    claims = ClaimSet(sign1.payload, WHAT)
    return _first(raw, sign1, claims) if _is_first(claims) else _second(raw, sign1, claims)


def _untagged(value: Any) -> Any:
    """Without the CWT tag 61, which RFC 8392 section 6 lets stand before tag 18."""
    tag = getattr(value, "tag", None)
    if tag == 17:
        raise Malformed(Reason.UNKNOWN_KIND, f"{WHAT}: a COSE_Mac0, not a COSE_Sign1")
    return value.value if tag == 61 else value


def _is_first(claims: ClaimSet) -> bool:
    return 265 not in claims and -75009 in claims


def _second(raw: bytes, sign1: cose.Sign1, claims: ClaimSet) -> Report:
    """Labels of RFC 9783 section 4."""
    profile = claims.text(265, "profile")
    if profile not in PROFILES:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: profile {profile[:80]!r}")
    return Report(
        raw,
        sign1,
        profile,
        nonce=claims.octets(10, "nonce", HASH_SIZES),
        client_id=claims.integer(2394, "client id", -(1 << 31), (1 << 31) - 1),
        lifecycle=claims.lifecycle(2395),
        implementation_id=claims.octets(2396, "implementation id", (32,)),
        instance_id=claims.instance_id(256),
        boot_seed=_boot_seed(claims),
        certification_reference=claims.optional_text(2398, "certification reference", _CERTIFICATION_REFERENCE),
        verification_service=claims.optional_text(2400, "verification service"),
        components=claims.components(2399),
    )


def _boot_seed(claims: ClaimSet) -> bytes | None:
    """RFC 9783 section 4.3.2 moved it from 2397 to EAT's 268; not both."""
    if 268 in claims and 2397 in claims:
        raise Malformed(Reason.DUPLICATE, f"{WHAT}: boot seed under 268 and 2397")
    return claims.optional_octets(268 if 268 in claims else 2397, "boot seed", _BOOT_SEED)


def _first(raw: bytes, sign1: cose.Sign1, claims: ClaimSet) -> Report:
    """Labels of PSA_IOT_PROFILE_1 (PSA Attestation API 1.0), whose profile claim is optional text."""
    return Report(
        raw,
        sign1,
        claims.optional_text(-75000, "profile"),
        nonce=claims.octets(-75008, "nonce", HASH_SIZES),
        client_id=claims.integer(-75001, "client id", -(1 << 31), (1 << 31) - 1),
        lifecycle=claims.lifecycle(-75002),
        implementation_id=claims.octets(-75003, "implementation id", (32,)),
        instance_id=claims.instance_id(-75009),
        boot_seed=claims.octets(-75004, "boot seed", (32,)),
        certification_reference=claims.optional_text(-75005, "hardware version", _HARDWARE_VERSION),
        verification_service=claims.optional_text(-75010, "verification service"),
        components=_first_components(claims),
    )


def _first_components(claims: ClaimSet) -> tuple[Component, ...]:
    """Measured components, or the claim that there are none (-75007 = 1); not both, not neither."""
    if -75007 not in claims:
        return claims.components(-75006)
    claims.integer(-75007, "no software measurements", 1, 1)
    if -75006 in claims:
        raise Malformed(Reason.INCONSISTENT, f"{WHAT}: software components, and the claim that there are none")
    return ()


class PsaClaims(Claims, frozen=True, kw_only=True):
    """What a PSA token says, once a named key vouches for it. `bound` is the nonce."""

    profile: str | None
    client_id: int
    lifecycle: int
    implementation_id: bytes
    instance_id: bytes
    boot_seed: bytes | None
    certification_reference: str | None
    verification_service: str | None
    components: tuple[Component, ...]
    key: bytes
    """DER SubjectPublicKeyInfo of the key that vouched."""

    def facts(self) -> dict[str, Any]:
        """The claims as plain JSON values."""
        return facts(self, self.bound)

    def debug(self) -> bool:
        """The lifecycle is one of the two debug states."""
        return is_debug(self.lifecycle)


def facts(known: Report | PsaClaims, nonce: bytes) -> dict[str, Any]:
    """What a token says, as plain JSON values: hexadecimal, text, integers."""
    return {
        "profile": known.profile,
        "nonce": nonce.hex(),
        "client_id": known.client_id,
        "lifecycle": known.lifecycle,
        "implementation_id": known.implementation_id.hex(),
        "instance_id": known.instance_id.hex(),
        "boot_seed": None if known.boot_seed is None else known.boot_seed.hex(),
        "certification_reference": known.certification_reference,
        "verification_service": known.verification_service,
        "software_components": components_shown(known.components),
    }


def authenticate(
    report: Report,
    endorsements: Endorsements,  # noqa: ARG001 - every format has this shape; a PSA token has no endorsements
    *,
    anchors: Anchors,
    when: datetime,  # noqa: ARG001 - a named key has no validity
    memory: Memory[Any] | None = None,  # noqa: ARG001 - one signature, by a key that is given
) -> PsaClaims:
    """Believe a token because one of `anchors.keys` (initial attestation keys) signed it."""
    trail = Trail()
    key = require_named_key(
        report.sign1,
        anchors,
        trail=trail,
        name=WHAT,
        role="initial attestation key",
        source="RFC 9783 section 5.2",
        may_omit_algorithm=True,
    )
    if report.profile not in PROFILES | FIRST_PROFILES:
        trail.note("PSA profile", report.profile or "not stated", reason=Reason.UNKNOWN_VALUE, source="RFC 9783 4.5.2")
    trail.note("lifecycle", lifecycle_state(report.lifecycle) or "", source="RFC 9783 section 4.3.1")
    return PsaClaims(
        kind=Kind.PSA,
        anchors=anchors.name,
        bound=report.nonce,
        launch=None,
        window=None,
        checks=trail.checks(),
        profile=report.profile,
        client_id=report.client_id,
        lifecycle=report.lifecycle,
        implementation_id=report.implementation_id,
        instance_id=report.instance_id,
        boot_seed=report.boot_seed,
        certification_reference=report.certification_reference,
        verification_service=report.verification_service,
        components=report.components,
        key=key,
    )


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> PsaClaims:
    """As `authenticate`, of evidence as it arrives; a token has no other parts."""
    if evidence.kind is not Kind.PSA:
        raise Malformed(Reason.UNKNOWN_KIND, str(evidence.kind))
    if evidence.parts:
        raise Malformed(Reason.UNKNOWN_KEY, f"evidence of kind {evidence.kind}: part {min(evidence.parts)!r}")
    return authenticate(parse(evidence.body), endorsements, anchors=anchors, when=when, memory=memory)
