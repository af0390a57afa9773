# SPDX-License-Identifier: Apache-2.0
"""Arm CCA attestation tokens: a platform token and a realm token, tied by the realm's key.

The tie is the whole point: both signatures may hold while the realm's key belongs to another
platform, so the hash of the realm's key must be what the platform signed as its challenge.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import cbor2
import msgspec

from enarx.codec import cbor
from enarx.codec.digest import Digest, same
from enarx.errors import Malformed, Reason
from enarx.evidence import cose
from enarx.evidence.anchor import Anchors
from enarx.evidence.cca_claimset import Platform, Realm, platform_of, realm_of
from enarx.evidence.cca_key import realm_key
from enarx.evidence.check import Trail
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.psa_claimset import components_shown, is_debug, lifecycle_state
from enarx.evidence.psa_key import require_named_key

WHAT = "CCA token"
MAX_BYTES = 64 << 10
TAG_LEGACY, TAG = 399, 907
"""Outer tags: a map of tokens; since draft -02 a CMW collection of [content format, token]."""
PLATFORM, REALM = 44234, 44241
EAT_CWT = 263
"""CoAP content format of `application/eat+cwt`, RFC 9782 section 6.4."""
DRAFT = "draft-ffm-rats-cca-token"


class Report(msgspec.Struct, frozen=True):
    """A CCA token as received. Parsed, not believed."""

    raw: bytes
    platform_sign1: cose.Sign1
    realm_sign1: cose.Sign1
    platform: Platform
    realm: Realm


def parse(raw: bytes) -> Report:
    """Read a token to its last byte, and both tokens inside it."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{WHAT}: {len(raw)} bytes")
    outer = cbor.decode(raw, WHAT)
    if not isinstance(outer, cbor2.CBORTag) or outer.tag not in (TAG_LEGACY, TAG):
        raise Malformed(Reason.UNKNOWN_KIND, f"{WHAT}: neither tag {TAG_LEGACY} nor {TAG}")
    tokens = outer.value
    if not isinstance(tokens, Mapping):
        raise Malformed(Reason.WRONG_TYPE, f"{WHAT}: not a map")
    if set(tokens) != {PLATFORM, REALM}:
        raise Malformed(Reason.UNKNOWN_KEY, f"{WHAT}: expected {PLATFORM} and {REALM}, and nothing else")
    platform = cose.parse_sign1(_token(tokens[PLATFORM]), "CCA platform token", tag="required")
    realm = cose.parse_sign1(_token(tokens[REALM]), "CCA realm token", tag="required")
    return Report(raw, platform, realm, platform_of(platform.payload), realm_of(realm.payload))


def _token(value: object) -> bytes:
    """The bytes of one token: bare, or a CMW record of its content format and the bytes.

    Both have been seen under both tags; the record says no more than the bytes do.
    """
    if isinstance(value, list | tuple) and len(value) == 2 and value[0] == EAT_CWT:
        value = value[1]
    if not isinstance(value, bytes):
        raise Malformed(Reason.WRONG_TYPE, f"{WHAT}: a token is a byte string")
    return value


class CcaClaims(Claims, frozen=True, kw_only=True):
    """What a CCA token says, once a named key vouches for it.

    `bound` is the realm's challenge, 64 bytes; `launch` the personalization value, 64 bytes.
    """

    platform: Platform
    realm: Realm
    key: bytes
    """DER SubjectPublicKeyInfo of the platform key that vouched."""

    def facts(self) -> dict[str, Any]:
        """The claims as plain JSON values."""
        return facts(self.platform, self.realm)

    def debug(self) -> bool:
        """The platform's lifecycle is one of the two debug states."""
        return is_debug(self.platform.lifecycle)


def facts(platform: Platform, realm: Realm) -> dict[str, Any]:
    """What both tokens say, as plain JSON values: hexadecimal, text, integers."""
    return {
        "platform_profile": platform.profile,
        "lifecycle": platform.lifecycle,
        "challenge": realm.challenge.hex(),
        "implementation_id": platform.implementation_id.hex(),
        "instance_id": platform.instance_id.hex(),
        "configuration": None if platform.configuration is None else platform.configuration.hex(),
        "verification_service": platform.verification_service,
        "platform_hash_algorithm": platform.hash_algorithm,
        "software_components": components_shown(platform.components),
        "realm_profile": realm.profile,
        "personalization_value": realm.personalization.hex(),
        "initial_measurement": realm.initial_measurement.hex(),
        "extensible_measurements": [one.hex() for one in realm.extensible],
        "realm_hash_algorithm": realm.hash_algorithm,
        "mec_policy": realm.mec_policy,
    }


def authenticate(
    report: Report,
    endorsements: Endorsements,  # noqa: ARG001 - every format has this shape; a CCA token has no endorsements
    *,
    anchors: Anchors,
    when: datetime,  # noqa: ARG001 - a named key has no validity
    memory: Memory[Any] | None = None,  # noqa: ARG001 - two signatures, nothing worth remembering
) -> CcaClaims:
    """Believe a token because one of `anchors.keys` (platform attestation keys) signed its platform part.

    The realm is looked at first: a token whose halves do not belong together is refused also
    by someone who has no platform key at hand.
    """
    trail = Trail()
    realm, platform = report.realm, report.platform
    _require_realm(report, trail)
    key = require_named_key(
        report.platform_sign1,
        anchors,
        trail=trail,
        name="CCA platform token",
        role="platform attestation key",
        source=f"{DRAFT} section 5.2",
    )
    trail.note("lifecycle", lifecycle_state(platform.lifecycle) or "", source=f"{DRAFT} section 4.6.3")
    return CcaClaims(
        kind=Kind.CCA,
        anchors=anchors.name,
        bound=realm.challenge,
        launch=realm.personalization,
        window=None,
        checks=trail.checks(),
        platform=platform,
        realm=realm,
        key=key,
    )


def _require_realm(report: Report, trail: Trail) -> None:
    """The realm's key signed the realm's token, and the platform vouches for that key."""
    realm, platform = report.realm, report.platform
    key = realm_key(realm.public_key)
    cose.verify_sign1(report.realm_sign1, key, trail=trail, name="CCA realm token", source=f"{DRAFT} section 5.2")
    bound = Digest.of(realm.public_key, realm.key_hash_algorithm).raw
    trail.require(
        len(bound) == len(platform.challenge) and same(bound, platform.challenge),
        Reason.KEY_NOT_BOUND,
        "CCA realm key bound to the platform",
        fact=platform.challenge,
        expectation=bound,
        source=f"{DRAFT} section 4.8: the platform challenge is the hash of the realm's public key",
    )


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> CcaClaims:
    """As `authenticate`, of evidence as it arrives; a token has no other parts."""
    if evidence.kind is not Kind.CCA:
        raise Malformed(Reason.UNKNOWN_KIND, str(evidence.kind))
    if evidence.parts:
        raise Malformed(Reason.UNKNOWN_KEY, f"evidence of kind {evidence.kind}: part {min(evidence.parts)!r}")
    return authenticate(parse(evidence.body), endorsements, anchors=anchors, when=when, memory=memory)
