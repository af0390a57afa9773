# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of an Azure confidential VM, beside what [snp] or [tdx] asks of its hardware."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from enarx.appraisal.expectation import UNCHECKED, Unchecked, holds
from enarx.appraisal.tpm import BootPolicy, Required, boot_checks, key_checks
from enarx.errors import Reason
from enarx.evidence.azure import AzureClaims
from enarx.evidence.check import Check


class AzurePolicy(BootPolicy, frozen=True, kw_only=True):
    """[azure]. The keys of [tpm], and those of the machine.

    debug     "refused": the hardware protects the guest's memory
    quote     "required": the virtual TPM quoted its registers over the verifier's nonce
    console   "refused": `console-enabled` is false
    vm_secure_boot "required": `secure-boot` is true, as the paravisor was told
    vm_id     `vmUniqueId` of the virtual machines that are accepted, in upper case
    """

    debug: Literal["refused", "unchecked"]
    quote: Required
    console: Literal["refused", "unchecked"]
    vm_secure_boot: Required
    vm_id: frozenset[str] | Unchecked


def appraise(claims: AzureClaims, policy: AzurePolicy, *, when: datetime) -> tuple[Check, ...]:  # noqa: ARG001
    """Every check of the section; `when` is every section's argument, and nothing here has a time."""
    section = "policy: azure"
    return (
        holds(
            "debug",
            "enabled" if claims.debug() else "disabled",
            policy.debug,
            lambda: not claims.debug(),
            reason=Reason.DEBUG_ENABLED,
            source=f"{section}.debug",
        ),
        *key_checks(claims.authority, claims.ak, policy, section),
        holds(
            "vTPM quote",
            "present" if claims.boot else "absent",
            policy.quote,
            lambda: claims.boot is not None,
            reason=Reason.BOOT_NOT_MEASURED,
            source=f"{section}.quote",
        ),
        *_quoted(claims, policy, section),
        *_configuration(claims.vm, policy, section),
    )


def _quoted(claims: AzureClaims, policy: AzurePolicy, section: str) -> tuple[Check, ...]:
    """The quote's checks; without one, whatever the policy asks of it fails, because nothing is known."""
    if claims.boot is not None:
        return boot_checks(claims.boot, policy, section)
    return tuple(
        holds(name, "no quote", wanted, lambda: False, reason=Reason.BOOT_NOT_MEASURED, source=f"{section}.{name}")
        for name in ("pcrs", "pcrs_blacklist", "event_log", "secure_boot", "minimum_firmware_version", "clock_safe")
        if (wanted := getattr(policy, name)) != {}
    )


def _configuration(vm: dict[str, Any], policy: AzurePolicy, section: str) -> tuple[Check, ...]:
    identity = vm.get("vmUniqueId", "")
    named = identity.upper() if isinstance(identity, str) else ""
    return (
        holds(
            "console",
            _told(vm, "console-enabled"),
            policy.console,
            lambda: vm.get("console-enabled") is False,
            reason=Reason.PLATFORM_CONFIGURATION,
            source=f"{section}.console",
        ),
        holds(
            "VM secure boot",
            _told(vm, "secure-boot"),
            policy.vm_secure_boot,
            lambda: vm.get("secure-boot") is True,
            reason=Reason.PLATFORM_CONFIGURATION,
            source=f"{section}.vm_secure_boot",
        ),
        holds(
            "VM",
            named,
            policy.vm_id,
            lambda: named in policy.vm_id,
            reason=Reason.PLATFORM_NOT_ACCEPTED,
            expectation="one of those listed",
            source=f"{section}.vm_id",
        ),
    )


def _told(vm: dict[str, Any], name: str) -> str:
    return f"{name} {vm[name]}" if name in vm else f"{name} not said"


def unchecked() -> AzurePolicy:
    """The built-in policy of `enarx vectors`: debug refused, all else open."""
    return AzurePolicy(
        pcrs=UNCHECKED,
        pcrs_blacklist={},
        event_log=UNCHECKED,
        secure_boot=UNCHECKED,
        authorities=UNCHECKED,
        platforms=UNCHECKED,
        minimum_firmware_version=UNCHECKED,
        clock_safe=UNCHECKED,
        debug="refused",
        quote=UNCHECKED,
        console=UNCHECKED,
        vm_secure_boot=UNCHECKED,
        vm_id=UNCHECKED,
    )
