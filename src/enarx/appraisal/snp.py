# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of AMD SEV-SNP, and the answer to each question."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from enarx.appraisal.expectation import (
    UNCHECKED,
    Hex16Set,
    Hex32Set,
    Hex48,
    Hex48Set,
    Section,
    Unchecked,
    among,
    at_least,
    holds,
    not_among,
)
from enarx.appraisal.requirement import Requirement, satisfies
from enarx.appraisal.snp_attacks import known_attacks
from enarx.appraisal.snp_flags import PlatformFlags, PolicyFlags, platform_flags, policy_flags
from enarx.appraisal.snp_tcb import MinimumTcb, minimum_tcb
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.snp import SnpClaims, SnpReport
from enarx.evidence.snp_report import POLICY_DEBUG, POLICY_MIGRATE_MA

Refused = Literal["refused", "unchecked"]
Vmpl = Annotated[int, msgspec.Meta(ge=0, le=3)]
Chip = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{128}|[0-9a-f]{16})$")]
Generation = Literal["milan", "genoa", "turin"]


class SnpPolicy(Section, frozen=True, kw_only=True):
    """Section `[snp]`. Keys are upstream's where it had them; digests are of 48 bytes.

    hash                   MEASUREMENT, the launch digests that may run
    hash_blacklist         those that may not, whatever `hash` says
    signer                 AUTHOR_KEY_DIGEST, which signs id keys; the author key must be enabled
    signer_blacklist       those that may not sign
    id_key_digest          ID_KEY_DIGEST, which signs images
    id_key_digest_blacklist those that may not
    author_key             "required": the launch was signed with an author key
    debug                  POLICY bit 19, the host can look inside
    migrate_ma             POLICY bit 18, a migration agent can take the guest elsewhere
    policy_flags           other bits of POLICY: those required, those refused
    platform_info_flags    bits of PLATFORM_INFO: those required, those refused
    abi                    the ABI version that the guest demands of the firmware, ">=1.51"
    firmware               CURRENT version of the firmware, major.minor.build, ">=1.55.0"
    provisional_firmware   "refused": what runs has been committed and cannot be rolled back
    vmpl                   privilege levels that may ask for a report; 0 is the highest
    minimum_tcb            REPORTED_TCB by component and product; a product left out is refused
    mitigations            bits that LAUNCH_ and CURRENT_MIT_VECTOR must have (version 5 on)
    minimum_report_version 2 to 5
    minimum_guest_svn      GUEST_SVN
    generations            products accepted, Siena and Bergamo being "genoa"
    platforms              CHIP_IDs accepted: 64 bytes, on Turin also 8
    signing_key            VCEK, VLEK or both
    csp_id                 cloud providers whose VLEK is accepted, as their certificates say
    family_id, image_id    of the id block, 16 bytes
    report_id_ma           REPORT_ID of an accepted migration agent; all ff is none
    """

    hash: Hex48Set
    hash_blacklist: frozenset[Hex48]
    signer: Hex48Set
    signer_blacklist: frozenset[Hex48]
    id_key_digest: Hex48Set
    id_key_digest_blacklist: frozenset[Hex48]
    author_key: Literal["required", "unchecked"]
    debug: Refused
    migrate_ma: Refused
    policy_flags: PolicyFlags | Unchecked
    platform_info_flags: PlatformFlags | Unchecked
    abi: Requirement
    firmware: Requirement
    provisional_firmware: Refused
    vmpl: frozenset[Vmpl] | Unchecked
    minimum_tcb: MinimumTcb | Unchecked
    mitigations: int | Unchecked
    minimum_report_version: int | Unchecked
    minimum_guest_svn: int | Unchecked
    generations: frozenset[Generation] | Unchecked
    platforms: frozenset[Chip] | Unchecked
    signing_key: frozenset[Literal["VCEK", "VLEK"]] | Unchecked
    csp_id: frozenset[str] | Unchecked
    family_id: Hex16Set
    image_id: Hex16Set
    report_id_ma: Hex32Set


def unchecked() -> SnpPolicy:
    """The built-in of `enarx vectors`: debug is refused, all else is left open."""
    fields: dict[str, object] = dict.fromkeys(SnpPolicy.__struct_fields__, UNCHECKED)
    fields |= {name: [] for name in fields if name.endswith("_blacklist")}
    return msgspec.convert({**fields, "debug": "refused"}, SnpPolicy)


def appraise(claims: SnpClaims, policy: SnpPolicy, *, when: datetime) -> tuple[Check, ...]:  # noqa: ARG001 - the shape of every section
    """Every check of the section, whatever the others say; then the attacks published on what was seen."""
    report = claims.report
    return (
        *_guest(report, policy),
        *_signers(report, policy),
        *_firmware(claims, policy),
        *_platform(claims, policy),
        *known_attacks(claims),
    )


def _guest(report: SnpReport, policy: SnpPolicy) -> tuple[Check, ...]:
    """What was launched, and what its owner let the host do with it."""
    return (
        among("MEASUREMENT", report.measurement, policy.hash, reason=Reason.MEASUREMENT_NOT_ACCEPTED,
              source="policy: snp.hash", mend="build the image that the policy names, or add this measurement to it"),
        not_among("MEASUREMENT", report.measurement, policy.hash_blacklist,
                  reason=Reason.MEASUREMENT_DENIED, source="policy: snp.hash_blacklist"),
        _clear("DEBUG", report.policy & POLICY_DEBUG, policy.debug, Reason.DEBUG_ENABLED, "policy: snp.debug"),
        _clear("MIGRATE_MA", report.policy & POLICY_MIGRATE_MA, policy.migrate_ma,
               Reason.GUEST_POLICY, "policy: snp.migrate_ma"),
        policy_flags(report.policy, policy.policy_flags),
        among("FAMILY_ID", report.family_id, policy.family_id,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: snp.family_id"),
        among("IMAGE_ID", report.image_id, policy.image_id,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: snp.image_id"),
        among("REPORT_ID_MA", report.report_id_ma, policy.report_id_ma,
              reason=Reason.FIELD_NOT_ACCEPTED, source="policy: snp.report_id_ma"),
        holds("VMPL", report.vmpl, policy.vmpl, lambda: report.vmpl in policy.vmpl,
              reason=Reason.VMPL, source="policy: snp.vmpl", expectation=_listed(policy.vmpl)),
        at_least("GUEST_SVN", report.guest_svn, policy.minimum_guest_svn,
                 reason=Reason.SECURITY_VERSION_TOO_LOW, source="policy: snp.minimum_guest_svn"),
    )  # fmt: skip


def _signers(report: SnpReport, policy: SnpPolicy) -> tuple[Check, ...]:
    """Who signed the launch (id block and id authentication)."""
    return (
        among("AUTHOR_KEY_DIGEST", report.author_key_digest, policy.signer,
              reason=Reason.SIGNER_NOT_ACCEPTED, source="policy: snp.signer"),
        not_among("AUTHOR_KEY_DIGEST", report.author_key_digest, policy.signer_blacklist,
                  reason=Reason.SIGNER_DENIED, source="policy: snp.signer_blacklist"),
        among("ID_KEY_DIGEST", report.id_key_digest, policy.id_key_digest,
              reason=Reason.SIGNER_NOT_ACCEPTED, source="policy: snp.id_key_digest"),
        not_among("ID_KEY_DIGEST", report.id_key_digest, policy.id_key_digest_blacklist,
                  reason=Reason.SIGNER_DENIED, source="policy: snp.id_key_digest_blacklist"),
        # Without AUTHOR_KEY_EN the digest is only zeros or a leftover: a list of signers needs the key.
        holds("AUTHOR_KEY_EN", int(report.author_key_en), _author_key(policy), lambda: report.author_key_en,
              reason=Reason.SIGNER_NOT_ACCEPTED, source="policy: snp.author_key"),
    )  # fmt: skip


def _firmware(claims: SnpClaims, policy: SnpPolicy) -> tuple[Check, ...]:
    """What the guest trusts below itself."""
    report = claims.report
    major, minor = report.policy >> 8 & 0xFF, report.policy & 0xFF
    current = report.current
    return (
        minimum_tcb(claims, policy.minimum_tcb),
        holds("committed firmware", report.committed_tcb, policy.provisional_firmware, lambda: _committed(report),
              reason=Reason.TCB_TOO_LOW, source="policy: snp.provisional_firmware",
              expectation="what runs is committed: COMMITTED equals CURRENT"),
        holds("ABI of the guest policy", f"{major}.{minor}", policy.abi,
              lambda: satisfies((major, minor, 0), policy.abi),
              reason=Reason.VERSION_TOO_LOW, source="policy: snp.abi"),
        holds("CURRENT firmware", str(current), policy.firmware,
              lambda: satisfies((current.major, current.minor, current.build), policy.firmware),
              reason=Reason.VERSION_TOO_LOW, source="policy: snp.firmware"),
        at_least("VERSION", report.version, policy.minimum_report_version,
                 reason=Reason.VERSION_TOO_LOW, source="policy: snp.minimum_report_version"),
        _mitigated(report, policy.mitigations),
    )  # fmt: skip


def _platform(claims: SnpClaims, policy: SnpPolicy) -> tuple[Check, ...]:
    """Which processor it is, and how it is configured."""
    endorsed = claims.endorsed
    generation = claims.product.lower()
    return (
        platform_flags(claims.report.platform_info, policy.platform_info_flags),
        holds("generation", claims.product, policy.generations, lambda: generation in policy.generations,
              reason=Reason.GENERATION_NOT_ACCEPTED, source="policy: snp.generations",
              expectation=_listed(policy.generations)),
        holds("SIGNING_KEY", endorsed.key, policy.signing_key, lambda: str(endorsed.key) in policy.signing_key,
              reason=Reason.SIGNER_NOT_ACCEPTED, source="policy: snp.signing_key",
              expectation=_listed(policy.signing_key)),
        holds("cspID", endorsed.csp_id or "none", policy.csp_id, lambda: endorsed.csp_id in policy.csp_id,
              reason=Reason.PLATFORM_NOT_ACCEPTED, source="policy: snp.csp_id", expectation=_listed(policy.csp_id)),
        _chip(claims, policy.platforms),
    )  # fmt: skip


def _clear(name: str, bit: int, wanted: Refused, reason: Reason, source: str) -> Check:
    return holds(name, int(bit != 0), wanted, lambda: not bit, reason=reason, source=source, expectation=0)


@functools.lru_cache(maxsize=256)
def _listed(wanted: frozenset[Any] | Unchecked) -> str:
    return " or ".join(sorted(map(str, wanted))) if isinstance(wanted, frozenset) else str(wanted)


def _author_key(policy: SnpPolicy) -> str:
    asked = policy.author_key == "required" or not isinstance(policy.signer, str)
    return "required" if asked else UNCHECKED


def _committed(report: SnpReport) -> bool:
    return report.committed_tcb == report.current_tcb and report.committed == report.current


def _mitigated(report: SnpReport, wanted: int | Unchecked) -> Check:
    """Version 5 on; before, nothing says which mitigations there are, so none is shown."""
    launch, current = report.launch_mit_vector or 0, report.current_mit_vector or 0
    return holds(
        "MIT_VECTOR",
        f"{launch:#x} at launch, {current:#x} now",
        wanted,
        lambda: not isinstance(wanted, str) and launch & current & wanted == wanted,
        reason=Reason.PLATFORM_CONFIGURATION,
        source="policy: snp.mitigations",
    )


def _chip(claims: SnpClaims, wanted: frozenset[str] | Unchecked) -> Check:
    chip = claims.chip()
    named = () if chip is None else (chip.hex(), chip[:8].hex()) if not any(chip[8:]) else (chip.hex(),)
    return holds(
        "CHIP_ID",
        chip if chip is not None else "masked",
        wanted,
        lambda: any(name in wanted for name in named),
        reason=Reason.PLATFORM_NOT_ACCEPTED,
        source="policy: snp.platforms",
        expectation="one of those listed",
    )
