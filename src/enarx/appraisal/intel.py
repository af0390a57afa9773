# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of any Intel platform, whether an enclave or a trust domain runs on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import ge
from typing import Annotated, Any, Literal

import msgspec

from enarx.appraisal.expectation import Hex16Set, Section, Unchecked, among, at_least, failed, holds, open_, passed
from enarx.appraisal.intel_attacks import known_attacks
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.intel_claims import IntelClaims
from enarx.evidence.intel_tcb_status import OVERDUE

Refused = Literal["refused", "unchecked"]
Days = Annotated[int, msgspec.Meta(ge=0, le=36500)]
Svn = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
Hex6 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{12}$")]
Components = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{32}|unchecked)$")]
"""Sixteen SVNs of a byte each, in hexadecimal, or the word."""
Status = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
]
"""What a policy can allow; `Revoked` and `NotSupported` are never authentic."""


class IntelPolicy(Section, frozen=True, kw_only=True):
    """What `[sgx]` and `[tdx]` share.

    debug                       the host can look inside
    tcb_statuses                merged TCB statuses that are accepted
    grace_period_days           an OutOfDate… platform is accepted for so long after its level's tcbDate
    allowed_advisories          INTEL-SA ids that may stand open; every other one refuses
    tcb_evaluation_data_number  the lowest accepted, of TCB info and QE identity
    collateral_age_days         the older of TCB info and QE identity was issued no longer ago
    minimum_tcb                 the 16 SGX TCB component SVNs, each at least this
    pce_svn, qe_svn             the lowest accepted PCESVN (PCK certificate) and ISVSVN (quoting enclave)
    platforms                   PPIDs or platform instance ids accepted, 16 bytes
    fmspc                       models accepted, 6 bytes
    generations                 processor generations accepted ("ice-lake-sp", "sapphire-rapids", …)
    sgx_types                   memory protection accepted: standard, scalable, scalable-with-integrity
    dynamic_platform            packages can be added to the platform later
    cached_keys                 the platform's root keys are kept by Intel's registration service
    smt                         hyper-threading is on, or the PCK certificate does not say
    """

    debug: Refused
    tcb_statuses: frozenset[Status] | Unchecked
    grace_period_days: Days | Unchecked
    allowed_advisories: frozenset[str] | Unchecked
    tcb_evaluation_data_number: int | Unchecked
    collateral_age_days: Days | Unchecked
    minimum_tcb: Components
    pce_svn: Svn | Unchecked
    qe_svn: Svn | Unchecked
    platforms: Hex16Set
    fmspc: frozenset[Hex6] | Unchecked
    generations: frozenset[str] | Unchecked
    sgx_types: frozenset[Literal["standard", "scalable", "scalable-with-integrity"]] | Unchecked
    dynamic_platform: Refused
    cached_keys: Refused
    smt: Refused


def appraise_platform(claims: IntelClaims, policy: IntelPolicy, section: str, *, when: datetime) -> tuple[Check, ...]:
    """Every check of what `[sgx]` and `[tdx]` share, then the attacks published on what was seen.

    section  "sgx" or "tdx"
    """
    source = f"policy: {section}."
    return (
        clear("DEBUG", claims.debug(), policy.debug, Reason.DEBUG_ENABLED, source + "debug"),
        *_currency(claims, policy, source, when),
        *_versions(claims, policy, source),
        *_machine(claims, policy, source),
        *known_attacks(claims),
    )


def _currency(claims: IntelClaims, policy: IntelPolicy, source: str, when: datetime) -> tuple[Check, ...]:
    """How current platform and collateral are."""
    found = claims.standing
    return (
        _one_of("TCB status", found.merged, policy.tcb_statuses, Reason.TCB_STATUS, source + "tcb_statuses",
                "update the platform's firmware, or accept this status for a time"),
        _grace(claims, policy.grace_period_days, source + "grace_period_days", when),
        _advisories(found.advisories, policy.allowed_advisories, source + "allowed_advisories"),
        at_least("tcbEvaluationDataNumber", min(claims.tcb_evaluation_data_number, claims.qe_evaluation_data_number),
                 policy.tcb_evaluation_data_number, reason=Reason.TCB_TOO_LOW,
                 source=source + "tcb_evaluation_data_number", mend="fetch newer collateral (update=early)"),
        holds("collateral issued", claims.issued.isoformat(), policy.collateral_age_days,
              lambda: _within(claims.issued, policy.collateral_age_days, when), reason=Reason.NOT_FRESH,
              source=source + "collateral_age_days", mend="fetch the collateral anew"),
    )  # fmt: skip


def _versions(claims: IntelClaims, policy: IntelPolicy, source: str) -> tuple[Check, ...]:
    """Minimums of the policy's own, whatever Intel says of them."""
    platform = claims.platform
    return (
        components("SGX TCB components", platform.components, policy.minimum_tcb, source + "minimum_tcb"),
        at_least("PCESVN", platform.pcesvn, policy.pce_svn, reason=Reason.TCB_TOO_LOW, source=source + "pce_svn"),
        at_least("QE ISVSVN", claims.qe_isvsvn, policy.qe_svn, reason=Reason.TCB_TOO_LOW, source=source + "qe_svn"),
    )


def _machine(claims: IntelClaims, policy: IntelPolicy, source: str) -> tuple[Check, ...]:
    """Which machine it is, and how it is set up."""
    platform, generation = claims.platform, claims.generation()
    ids = {platform.ppid.hex(), platform.piid.hex() if platform.piid else ""}
    config = Reason.PLATFORM_CONFIGURATION
    return (
        holds("PPID or platform instance id", platform.ppid, policy.platforms,
              lambda: not ids.isdisjoint(policy.platforms), reason=Reason.PLATFORM_NOT_ACCEPTED,
              source=source + "platforms", expectation="one of those listed"),
        among("FMSPC", platform.fmspc, policy.fmspc, reason=Reason.PLATFORM_NOT_ACCEPTED, source=source + "fmspc"),
        _one_of("generation", generation, policy.generations, Reason.GENERATION_NOT_ACCEPTED, source + "generations"),
        _one_of("SGX type", platform.sgx_type, policy.sgx_types, config, source + "sgx_types"),
        clear("dynamic platform", bool(platform.dynamic_platform), policy.dynamic_platform, config,
              source + "dynamic_platform"),
        clear("cached keys", bool(platform.cached_keys), policy.cached_keys, config, source + "cached_keys"),
        clear("SMT", platform.smt is not False, policy.smt, config, source + "smt"),
    )  # fmt: skip


def clear(name: str, found: bool, wanted: Refused, reason: Reason, source: str) -> Check:  # noqa: FBT001
    """Something that a policy refuses, or leaves open."""
    fact = "yes" if found else "no"
    if wanted == "unchecked":
        return open_(name, fact, source)
    return failed(name, reason, fact, "no", source) if found else passed(name, fact, "no", source)


def components(name: str, found: bytes, minimum: str, source: str) -> Check:
    """Each byte of `found` is at least that of `minimum` (hexadecimal, of the same length)."""
    if minimum == "unchecked":
        return open_(name, found, source)
    wanted = bytes.fromhex(minimum)
    fine = len(found) == len(wanted) and all(map(ge, found, wanted))
    said = f"each at least {minimum}"
    return passed(name, found, said, source) if fine else failed(name, Reason.TCB_TOO_LOW, found, said, source)


def _one_of(name: str, found: str, allowed: frozenset[Any] | str, reason: Reason, source: str, mend: str = "") -> Check:
    """`found` is on the policy's list."""
    if isinstance(allowed, str):
        return open_(name, found, source)
    if found in allowed:
        return passed(name, found, "one of those listed", source)
    return failed(name, reason, found, " or ".join(sorted(allowed)) or "nothing is listed", source, mend)


def _grace(claims: IntelClaims, days: int | Unchecked, source: str, when: datetime) -> Check:
    found = claims.standing
    if found.merged not in OVERDUE or found.date is None:
        return holds("grace period", found.merged, days, lambda: True, reason=Reason.TCB_STATUS, source=source)
    fact = f"{found.merged} at the level of {found.date.isoformat()}"
    date = found.date
    return holds(
        "grace period",
        fact,
        days,
        lambda: _within(date, days, when),
        reason=Reason.TCB_STATUS,
        source=source,
        expectation=f"at most {days} days ago",
        mend="update the platform's firmware",
    )


def _advisories(found: tuple[str, ...], allowed: frozenset[str] | Unchecked, source: str) -> Check:
    fact = " ".join(found) or "none"
    if isinstance(allowed, str):
        return open_("advisories", fact, source)
    more = [one for one in found if one not in allowed]
    if not more:
        return passed("advisories", fact, "none but those listed", source)
    return failed("advisories", Reason.ADVISORY, " ".join(more), "none but those listed", source)


def _within(date: datetime, days: int | Unchecked, when: datetime) -> bool:
    return isinstance(days, int) and when <= date + timedelta(days=days)


def drafted_platform(claims: IntelClaims, *, when: datetime) -> dict[str, Any]:
    """What `[sgx]` and `[tdx]` share, as these claims satisfy it and hardly any others do."""
    platform, found = claims.platform, claims.standing
    return {
        "debug": "unchecked" if claims.debug() else "refused",
        "tcb_statuses": [str(found.merged)],
        "grace_period_days": (when - found.date).days + 1 if found.date and found.merged in OVERDUE else 0,
        "allowed_advisories": list(found.advisories),
        "tcb_evaluation_data_number": min(claims.tcb_evaluation_data_number, claims.qe_evaluation_data_number),
        "collateral_age_days": (when - claims.issued).days + 1,
        "minimum_tcb": platform.components.hex(),
        "pce_svn": platform.pcesvn,
        "qe_svn": claims.qe_isvsvn,
        "platforms": [platform.ppid.hex()],
        "fmspc": [platform.fmspc.hex()],
        "generations": [claims.generation()],
        "sgx_types": [platform.sgx_type],
        "dynamic_platform": "unchecked" if platform.dynamic_platform else "refused",
        "cached_keys": "unchecked" if platform.cached_keys else "refused",
        "smt": "unchecked" if platform.smt is not False else "refused",
    }
