# SPDX-License-Identifier: Apache-2.0
"""What an appraisal amounts to in AR4SI's words (draft-ietf-rats-ar4si-10 section 2.3), claiming no more than was checked.

A category is affirmed only when every question of it was asked and answered well. A question
that the policy left open makes no claim; evidence that nobody's hardware vouches for is
contraindicated, whatever else it says.
"""

from __future__ import annotations

from collections.abc import Iterable

from enarx.appraisal.result import Appraisal, Member
from enarx.errors import Reason
from enarx.evidence.anchor import PRODUCTION
from enarx.evidence.check import Check, Verdict
from enarx.evidence.kind import Kind, without_tee

PHYSICAL = "published physical attack"
"""The name of notes about attacks that need the machine in one's hands."""

NO_CLAIM, AFFIRMED, APPROVED_BOOT, WARNING, UNRECOGNIZED_RUNTIME, CONTRAINDICATED, UNRECOGNIZED = (
    0,
    2,
    3,
    32,
    33,
    96,
    97,
)

INSTANCE = frozenset({"platforms", "vm_id", "module_id"})
EXECUTABLES = frozenset({
    "hash", "hash_blacklist", "signer", "signer_blacklist", "id_key_digest", "id_key_digest_blacklist", "author_key",
    "mrtd", "mrtd_blacklist", "rtmrs", "rtmr", "mrsignerseam", "mrseam", "mrservicetd", "pcrs", "pcrs_blacklist",
    "event_log", "components", "components_blacklist", "extensible_measurements", "measurements",
    "measurements_blacklist", "rim", "enclave_product_id", "enclave_security_version", "minimum_guest_svn",
})  # fmt: skip
HARDWARE = frozenset({
    "minimum_tcb", "provisional_firmware", "firmware", "mitigations", "generations", "platform_info_flags",
    "tcb_statuses", "allowed_advisories", "tcb_evaluation_data_number", "grace_period_days", "pce_svn", "qe_svn",
    "fmspc", "architectures", "minimum_driver_version", "minimum_vbios_version", "minimum_firmware_version",
})  # fmt: skip
"""Fields of sections by the category that they speak for; all others are configuration."""

ENCRYPTED = frozenset({Kind.SNP, Kind.SGX, Kind.TDX, Kind.AZURE_SNP_VTPM, Kind.AZURE_TDX_VTPM})
ISOLATED = frozenset({Kind.NITRO, Kind.CCA})

Vector = dict[str, int]


def vector(member: Member, appraisal: Appraisal, *, input_host: bool) -> Vector:
    """The trustworthiness vector of one member."""
    vouched = member.claims.anchors == PRODUCTION and not without_tee(one.claims.kind for one in appraisal.members)
    found = {
        "instance-identity": _instance(_of(member, INSTANCE)),
        "configuration": _configuration(member),
        "executables": _executables(member, appraisal),
        "hardware": _hardware(member) if vouched else UNRECOGNIZED,
        "runtime-opaque": _opaque(member) if vouched else CONTRAINDICATED,
        "sourced-data": WARNING if input_host else NO_CLAIM,
    }
    return {category: value for category, value in found.items() if value != NO_CLAIM}


def status(vector: Vector, *, accepted: bool) -> str:
    """The tier of the worst claim; what the policy refused is contraindicated."""
    if not accepted:
        return "contraindicated"
    worst = max(vector.values(), default=NO_CLAIM)
    return tier(worst)


def tier(value: int) -> str:
    """The tier of one claim (section 2.3.2)."""
    if value >= CONTRAINDICATED:
        return "contraindicated"
    if value >= WARNING:
        return "warning"
    return "affirming" if value >= AFFIRMED else "none"


def _of(member: Member, fields: frozenset[str]) -> tuple[Check, ...]:
    return tuple(check for check in member.checks if _field(check) in fields)


def _field(check: Check) -> str:
    """The key of the policy that a check answers: `policy: snp.vmpl` is "vmpl"."""
    place = check.source.removeprefix("policy: ") if check.source.startswith("policy: ") else ""
    return place.split(".")[1] if "." in place else ""


def _refused(checks: Iterable[Check]) -> bool:
    return any(check.says_no() for check in checks)


def _answered(checks: tuple[Check, ...]) -> bool:
    """At least one question was asked, and none was left open."""
    return bool(checks) and all(check.verdict is Verdict.PASSED for check in checks)


def _instance(checks: tuple[Check, ...]) -> int:
    if _refused(checks):
        return UNRECOGNIZED
    return AFFIRMED if _answered(checks) else NO_CLAIM


def _configuration(member: Member) -> int:
    others = INSTANCE | EXECUTABLES | HARDWARE
    checks = tuple(check for check in member.checks if _field(check) and _field(check) not in others)
    if _refused(checks):
        return CONTRAINDICATED
    return AFFIRMED if _answered(checks) else NO_CLAIM


def _executables(member: Member, appraisal: Appraisal) -> int:
    """The image is one that the policy names; and so is the package, where a launch digest binds one."""
    checks = _of(member, EXECUTABLES)
    if _refused(checks):
        return CONTRAINDICATED
    if not any(check.verdict is Verdict.PASSED and not _field(check).endswith("_blacklist") for check in checks):
        return UNRECOGNIZED_RUNTIME if checks else NO_CLAIM
    package = any(c.source == "policy: workload" and c.verdict is Verdict.PASSED for c in appraisal.checks)
    return AFFIRMED if package else APPROVED_BOOT


def _hardware(member: Member) -> int:
    """Genuine, because authentication held; a hole that its vendor or others know of is a warning."""
    checks = _of(member, HARDWARE)
    if _refused(checks):
        return CONTRAINDICATED
    known = any(check.reason is Reason.PUBLISHED_ATTACK and not _elsewhere(check, member) for check in member.checks)
    behind = any(check.reason in (Reason.TCB_STATUS, Reason.ADVISORY) for check in member.claims.checks)
    return WARNING if known or behind or not _answered(checks) else AFFIRMED


def _elsewhere(attack: Check, member: Member) -> bool:
    """The attack needs the machine in one's hands, and the policy names the chips whose place it knows."""
    return attack.name == PHYSICAL and _instance(_of(member, INSTANCE)) == AFFIRMED


def _opaque(member: Member) -> int:
    if member.claims.debug():
        return CONTRAINDICATED
    if member.claims.kind in ENCRYPTED:
        return AFFIRMED
    return WARNING if member.claims.kind in ISOLATED else NO_CLAIM
