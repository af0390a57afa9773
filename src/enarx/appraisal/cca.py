# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of Arm CCA and PSA tokens, and the answer to each question."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from enarx.appraisal.components import component_checks
from enarx.appraisal.expectation import (
    UNCHECKED,
    Hex,
    Hex32,
    Hex64,
    HexSet,
    Section,
    Unchecked,
    among,
    failed,
    holds,
    not_among,
    open_,
)
from enarx.errors import Reason
from enarx.evidence.cca import CcaClaims
from enarx.evidence.check import Check
from enarx.evidence.psa import PsaClaims
from enarx.evidence.psa_claimset import is_secured, lifecycle_state

Refused = Literal["refused", "unchecked"]
InstanceId = Annotated[str, msgspec.Meta(pattern="^01[0-9a-f]{64}$")]
Register = Annotated[str, msgspec.Meta(pattern="^[0-3]$")]
Algorithm = Literal["sha-256", "sha-384", "sha-512"]
MecPolicy = Literal["private", "shared", "0", "1", "none"]
NONE = "none"
"""What a list says to accept a token that leaves the claim out."""


class TokenPolicy(Section, frozen=True, kw_only=True):
    """What CCA and PSA tokens have in common.

    debug                "refused": the lifecycle is not one of the two debug states
    lifecycle            "secured": 0x3000 to 0x30ff, the only state in which keys are to be believed
    profile              profiles of the (platform) token; "none" for one that states none
    implementation_id    of the platform's root of trust, 32 bytes
    platforms            instance ids, 33 bytes beginning with 01: single chips
    components           measurements that software components may have: every one must be listed
    components_blacklist those that none may have
    signer               signer ids that software components may have: every one must be listed
    signer_blacklist     those that none may have
    """

    debug: Refused
    lifecycle: Literal["secured", "unchecked"]
    profile: frozenset[str] | Unchecked
    implementation_id: frozenset[Hex32] | Unchecked
    platforms: frozenset[InstanceId] | Unchecked
    components: HexSet
    components_blacklist: frozenset[Hex]
    signer: HexSet
    signer_blacklist: frozenset[Hex]


class CcaPolicy(TokenPolicy, frozen=True, kw_only=True):
    """Section `[cca]`.

    hash                    RIM, the realm's initial measurement
    hash_blacklist          those that may not run, whatever `hash` says
    extensible_measurements REM: register 0 to 3 to the values that it may hold
    personalization_value   RPV, 64 bytes: what the host set before the realm started
    configuration           the platform's configuration (claim 2401)
    realm_profile           profiles of the realm token; "none" for one that states none
    hash_algorithm          algorithms of every hash in the token
    mec_policy              memory encryption contexts: "private", "shared", "0", "1", or "none"
    """

    hash: HexSet
    hash_blacklist: frozenset[Hex]
    extensible_measurements: dict[Register, frozenset[Hex]] | Unchecked
    personalization_value: frozenset[Hex64] | Unchecked
    configuration: HexSet
    realm_profile: frozenset[str] | Unchecked
    hash_algorithm: frozenset[Algorithm] | Unchecked
    mec_policy: frozenset[MecPolicy] | Unchecked


class PsaPolicy(TokenPolicy, frozen=True, kw_only=True):
    """Section `[psa]`.

    client_id               callers that may ask for a token; negative ones are outside the secure world
    certification_reference what the chip was certified as; "none" for a token that does not say
    """

    client_id: frozenset[int] | Unchecked
    certification_reference: frozenset[str] | Unchecked


def appraise(claims: CcaClaims, policy: CcaPolicy, *, when: datetime) -> tuple[Check, ...]:  # noqa: ARG001 - the shape of every section
    """Every check of section `[cca]`."""
    platform, realm = claims.platform, claims.realm
    return (
        *_platform(claims, policy, platform.profile, "policy: cca"),
        among("RIM", realm.initial_measurement, policy.hash, reason=Reason.MEASUREMENT_NOT_ACCEPTED,
              source="policy: cca.hash", mend="start the realm that the policy names"),
        not_among("RIM not denied", realm.initial_measurement, policy.hash_blacklist,
                  reason=Reason.MEASUREMENT_DENIED, source="policy: cca.hash_blacklist"),
        *_registers(realm.extensible, policy.extensible_measurements),
        among("personalization value", realm.personalization, policy.personalization_value,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: cca.personalization_value"),
        among("platform configuration", platform.configuration or b"", policy.configuration,
              reason=Reason.PLATFORM_CONFIGURATION, source="policy: cca.configuration"),
        _listed("realm profile", realm.profile, policy.realm_profile, "policy: cca.realm_profile"),
        _algorithms(claims, policy),
        _listed("MEC policy", realm.mec_policy, policy.mec_policy, "policy: cca.mec_policy",
                reason=Reason.PLATFORM_CONFIGURATION),
    )  # fmt: skip


def appraise_psa(claims: PsaClaims, policy: PsaPolicy, *, when: datetime) -> tuple[Check, ...]:  # noqa: ARG001 - the shape of every section
    """Every check of section `[psa]`."""
    return (
        *_platform(claims, policy, claims.profile, "policy: psa"),
        holds("client id", claims.client_id, policy.client_id, lambda: claims.client_id in policy.client_id,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: psa.client_id", expectation="one of those listed"),
        _listed("certification reference", claims.certification_reference, policy.certification_reference,
                "policy: psa.certification_reference", reason=Reason.PLATFORM_NOT_ACCEPTED),
    )  # fmt: skip


def _platform(
    claims: CcaClaims | PsaClaims, policy: TokenPolicy, profile: str | None, section: str
) -> tuple[Check, ...]:
    """What both kinds of token say of the platform that they come from."""
    about = claims.platform if isinstance(claims, CcaClaims) else claims
    state = f"{lifecycle_state(about.lifecycle)} ({about.lifecycle:#06x})"
    return (
        holds("debug", state, policy.debug, lambda: not claims.debug(), reason=Reason.DEBUG_ENABLED,
              source=f"{section}.debug"),
        holds("lifecycle", state, policy.lifecycle, lambda: is_secured(about.lifecycle), reason=Reason.LIFECYCLE,
              source=f"{section}.lifecycle", mend="the chip has not been locked for use"),
        _listed("profile", profile, policy.profile, f"{section}.profile"),
        among("implementation id", about.implementation_id, policy.implementation_id,
              reason=Reason.GENERATION_NOT_ACCEPTED, source=f"{section}.implementation_id"),
        among("instance id", about.instance_id, policy.platforms, reason=Reason.PLATFORM_NOT_ACCEPTED,
              source=f"{section}.platforms"),
        *component_checks(about.components, policy.components, policy.components_blacklist,
                          policy.signer, policy.signer_blacklist, section=section),
    )  # fmt: skip


def _listed(
    name: str, fact: str | None, wanted: frozenset[str] | Unchecked, source: str, *, reason: Reason | None = None
) -> Check:
    """A text claim that is one of those listed; an absent one is listed as "none"."""
    said = NONE if fact is None else fact
    return holds(name, said, wanted, lambda: said in wanted, reason=reason or Reason.FIELD_NOT_ACCEPTED,
                 source=source, expectation="one of those listed")  # fmt: skip


def _registers(facts: tuple[bytes, ...], wanted: dict[str, frozenset[str]] | Unchecked) -> tuple[Check, ...]:
    """Each register that the policy names; a table that names none accepts none."""
    source = "policy: cca.extensible_measurements"
    if isinstance(wanted, str):
        return (open_("REM", ", ".join(fact.hex() for fact in facts), source),)
    if not wanted:
        return (failed("REM", Reason.MEASUREMENT_NOT_ACCEPTED, "four registers", "no register is named", source),)
    return tuple(
        among(f"REM {at}", facts[int(at)], values, reason=Reason.MEASUREMENT_NOT_ACCEPTED, source=source)
        for at, values in wanted.items()
    )


def _algorithms(claims: CcaClaims, policy: CcaPolicy) -> Check:
    """Of RIM and REM, of the tie between the tokens, and of the platform's measurements where stated."""
    stated = {claims.realm.hash_algorithm, claims.realm.key_hash_algorithm, claims.platform.hash_algorithm} - {None}
    return holds(
        "hash algorithms",
        ", ".join(sorted(str(one) for one in stated)),
        policy.hash_algorithm,
        lambda: stated <= set(policy.hash_algorithm),
        reason=Reason.ALGORITHM,
        source="policy: cca.hash_algorithm",
        expectation="every one listed",
    )


def unchecked() -> CcaPolicy:
    """The built-in of `enarx vectors` for CCA: debug refused, all else open."""
    return msgspec.convert(_open(CcaPolicy), CcaPolicy)


def psa_unchecked() -> PsaPolicy:
    """The same for PSA."""
    return msgspec.convert(_open(PsaPolicy), PsaPolicy)


def _open(section: type[Section]) -> dict[str, object]:
    fields: dict[str, object] = dict.fromkeys(section.__struct_fields__, UNCHECKED)
    return {**fields, **{name: [] for name in fields if name.endswith("_blacklist")}, "debug": "refused"}
