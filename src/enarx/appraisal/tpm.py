# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of a TPM 2.0: the boot that it quotes, and who vouches for its key."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from enarx.appraisal.expectation import (
    UNCHECKED,
    Hex32,
    Section,
    Unchecked,
    among,
    at_least,
    failed,
    holds,
)
from enarx.appraisal.registers import Lists, registers
from enarx.codec.digest import sha256
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.tpm import Boot, TpmClaims
from enarx.evidence.tpm_boot import FIRMWARE

Bank = Literal["sha256", "sha384", "sha512"]
"""Never SHA-1: a policy that names it does not load."""
BankLists = dict[Bank, Lists]
Required = Literal["required", "unchecked"]


class BootPolicy(Section, frozen=True, kw_only=True):
    """The keys that [tpm] and [azure] share.

    pcrs                     bank to register to the values that it may hold
    pcrs_blacklist           bank to register to values that it must not hold
    event_log                "required": a log explains every firmware register (0 to 7) quoted
    secure_boot              "required": the log says so, and register 7 agrees
    authorities              who vouches for the attestation key: "google", "microsoft", "tpm",
                             "hcl" (Azure's hardware report alone),
                             "tee" (the report of another member), "named" (the caller),
                             "activated" (a credential for a certified endorsement key; the Steward alone
                             can ask for that)
    platforms                SHA-256 of the SubjectPublicKeyInfo of each attestation key accepted
    minimum_firmware_version of the TPM, as TPMS_ATTEST gives it
    clock_safe               "required": the TPM's clock has not gone back
    """

    pcrs: BankLists | Unchecked
    pcrs_blacklist: BankLists
    event_log: Required
    secure_boot: Required
    authorities: frozenset[Literal["google", "microsoft", "tpm", "hcl", "tee", "named", "activated"]] | Unchecked
    platforms: frozenset[Hex32] | Unchecked
    minimum_firmware_version: int | Unchecked
    clock_safe: Required


class TpmPolicy(BootPolicy, frozen=True, kw_only=True):
    """[tpm]. Each key is required; `"unchecked"` leaves it open."""


def appraise(claims: TpmClaims, policy: TpmPolicy, *, when: datetime) -> tuple[Check, ...]:  # noqa: ARG001
    """Every check of the section; `when` is every section's argument, and nothing in a quote has a time."""
    section = "policy: tpm"
    return (*key_checks(claims.authority, claims.ak, policy, section), *boot_checks(claims.boot, policy, section))


def key_checks(authority: str, ak: bytes, policy: BootPolicy, section: str) -> tuple[Check, ...]:
    """Who vouches for the attestation key, and whose it is."""
    return (
        holds(
            "attestation key authority",
            authority,
            policy.authorities,
            lambda: authority in policy.authorities,
            reason=Reason.SIGNER_NOT_ACCEPTED,
            expectation="one of those listed",
            source=f"{section}.authorities",
        ),
        among(
            "attestation key",
            sha256(ak),
            policy.platforms,
            reason=Reason.PLATFORM_NOT_ACCEPTED,
            source=f"{section}.platforms",
        ),
    )


def boot_checks(boot: Boot, policy: BootPolicy, section: str) -> tuple[Check, ...]:
    """What the quote says of the boot."""
    return (
        *_registers(boot, policy, section),
        _explained(boot, policy, section),
        holds(
            "secure boot",
            {True: "on", False: "off", None: "not shown by a log"}[boot.secure_boot],
            policy.secure_boot,
            lambda: boot.secure_boot is True,
            reason=Reason.PLATFORM_CONFIGURATION,
            source=f"{section}.secure_boot",
        ),
        at_least(
            "TPM firmware version",
            boot.firmware_version,
            policy.minimum_firmware_version,
            reason=Reason.VERSION_TOO_LOW,
            source=f"{section}.minimum_firmware_version",
        ),
        holds(
            "TPM clock",
            "safe" if boot.safe else "may have gone back",
            policy.clock_safe,
            lambda: boot.safe,
            reason=Reason.CLOCK,
            source=f"{section}.clock_safe",
        ),
    )


def _registers(boot: Boot, policy: BootPolicy, section: str) -> tuple[Check, ...]:
    checks: list[Check] = []
    if isinstance(policy.pcrs, str):
        checks += registers(_every(boot), UNCHECKED, {}, source=section)
    elif not policy.pcrs:
        checks += registers(_every(boot), {}, {}, source=section)
    else:
        for bank, allowed in policy.pcrs.items():
            checks += registers(_values(boot, bank), allowed, {}, source=section, field=f"pcrs.{bank}")
    for bank, denied in policy.pcrs_blacklist.items():
        checks += registers(_values(boot, bank), UNCHECKED, denied, source=section)[1:]
    return tuple(checks)


def _every(boot: Boot) -> dict[int, bytes]:
    return {index: value for table in boot.pcrs.values() for index, value in table.items()}


def _values(boot: Boot, bank: str) -> dict[int, bytes]:
    return boot.pcrs.get(bank.replace("sha", "sha-"), {})


def _explained(boot: Boot, policy: BootPolicy, section: str) -> Check:
    quoted = {index for table in boot.pcrs.values() for index in table if index in FIRMWARE}
    missing = sorted(quoted - boot.replayed)
    fact = f"explains registers {sorted(boot.replayed)}" if boot.replayed else "none that leads to the registers"
    if policy.event_log == "required" and not quoted:
        return failed(
            "event log", Reason.BOOT_NOT_MEASURED, "no register values", "firmware registers", f"{section}.event_log"
        )
    return holds(
        "event log",
        fact,
        policy.event_log,
        lambda: not missing,
        reason=Reason.BOOT_NOT_MEASURED,
        expectation="every firmware register that is quoted",
        source=f"{section}.event_log",
    )


def unchecked() -> TpmPolicy:
    """The built-in policy of `enarx vectors`: all open; a TPM has no debug mode to refuse."""
    return TpmPolicy(
        pcrs=UNCHECKED,
        pcrs_blacklist={},
        event_log=UNCHECKED,
        secure_boot=UNCHECKED,
        authorities=UNCHECKED,
        platforms=UNCHECKED,
        minimum_firmware_version=UNCHECKED,
        clock_safe=UNCHECKED,
    )
