# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of NVIDIA GPUs and switches, and the answer to each question."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from enarx.appraisal.expectation import (
    UNCHECKED,
    Hex48,
    Section,
    Unchecked,
    among,
    failed,
    holds,
    open_,
    passed,
)
from enarx.appraisal.nvidia_rim import debug_check, ocsp_checks, rim_checks
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.nvidia import NvidiaClaims

MinimumDriver = Annotated[str, msgspec.Meta(pattern=r"^(unchecked|[0-9]{1,6}(\.[0-9]{1,6}){1,3})$")]
MinimumVbios = Annotated[str, msgspec.Meta(pattern=r"^(unchecked|[0-9A-F]{2}(\.[0-9A-F]{2}){4})$")]
VbiosVersion = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{2}(\.[0-9A-F]{2}){4}$")]
Block = Annotated[str, msgspec.Meta(pattern="^([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])$")]
Architecture = Literal["hopper", "blackwell", "rubin", "nvswitch"]
Mode = Literal["spt", "mpt", "ppcie", "none"]


class NvidiaPolicy(Section, frozen=True, kw_only=True):
    """What GPUs and switches have in common.

    debug                  "refused": manifests agree with every measurement. The report has no
                           debug bit; debug firmware and fuses show in the measurements alone
    rim                    "required": a genuine, current manifest for each part, and every
                           measurement in it agrees
    ocsp                   "good": every certificate of the device, and of the signers of the
                           manifests if those are required; "hold": on hold will do
    vbios_versions         "96.00.9F.00.01"
    minimum_vbios_version  by its octets, in their order
    platforms              ueid (decimal, as NVIDIA's tools print it) or the chip's serial (16
                           hexadecimal digits, which firmware updates do not change)
    architectures          generations accepted
    firmware_id            FWID in the device certificate, 48 bytes
    measurements           SPDM block (from 1) to the values that it may hold
    measurements_blacklist values that no block may hold
    """

    debug: Literal["refused", "unchecked"]
    rim: Literal["required", "unchecked"]
    ocsp: Literal["good", "hold", "unchecked"]
    vbios_versions: frozenset[VbiosVersion] | Unchecked
    minimum_vbios_version: MinimumVbios
    platforms: frozenset[str] | Unchecked
    architectures: frozenset[Architecture] | Unchecked
    firmware_id: frozenset[Hex48] | Unchecked
    measurements: dict[Block, frozenset[Hex48]] | Unchecked
    measurements_blacklist: frozenset[Hex48]


class NvidiaGpuPolicy(NvidiaPolicy, frozen=True, kw_only=True):
    """Section `[nvidia-gpu]`.

    driver_versions        "550.90.07"
    minimum_driver_version by its numbers, in their order
    modes                  "spt" one GPU, "mpt" several, "ppcie" protected PCIe, "none" not stated
    """

    driver_versions: frozenset[str] | Unchecked
    minimum_driver_version: MinimumDriver
    modes: frozenset[Mode] | Unchecked


class NvidiaSwitchPolicy(NvidiaPolicy, frozen=True, kw_only=True):
    """Section `[nvidia-switch]`.

    lock "required": the switch is locked to the confidential configuration
    """

    lock: Literal["required", "unchecked"]


def appraise(
    claims: NvidiaClaims,
    policy: NvidiaGpuPolicy | NvidiaSwitchPolicy,
    *,
    when: datetime,  # noqa: ARG001 - the shape of every section; what ages was judged at authentication
) -> tuple[Check, ...]:
    """Every check of the section."""
    section = f"policy: {claims.kind}"
    own = _gpu(claims, policy, section) if isinstance(policy, NvidiaGpuPolicy) else _switch(claims, policy, section)
    return (
        debug_check(claims, policy.debug, section),
        *rim_checks(claims, policy.rim, section),
        *ocsp_checks(claims, policy.ocsp, policy.rim, section),
        *_vbios(claims, policy, section),
        _platform(claims, policy, section),
        holds("architecture", claims.architecture, policy.architectures,
              lambda: claims.architecture in policy.architectures, reason=Reason.GENERATION_NOT_ACCEPTED,
              source=f"{section}.architectures", expectation="one of those listed"),
        among("firmware id", claims.device.fwid, policy.firmware_id, reason=Reason.SIGNER_NOT_ACCEPTED,
              source=f"{section}.firmware_id"),
        *_blocks(claims, policy, section),
        *own,
    )  # fmt: skip


def _vbios(claims: NvidiaClaims, policy: NvidiaPolicy, section: str) -> tuple[Check, ...]:
    version = claims.opaque.vbios_version
    return (
        holds("VBIOS version", version, policy.vbios_versions, lambda: version in policy.vbios_versions,
              reason=Reason.FIELD_NOT_ACCEPTED, source=f"{section}.vbios_versions", expectation="one of those listed"),
        holds("VBIOS version minimum", version, policy.minimum_vbios_version,
              lambda: not _lower(version, policy.minimum_vbios_version, 16), reason=Reason.VERSION_TOO_LOW,
              source=f"{section}.minimum_vbios_version", expectation=f"at least {policy.minimum_vbios_version}"),
    )  # fmt: skip


def _gpu(claims: NvidiaClaims, policy: NvidiaGpuPolicy, section: str) -> tuple[Check, ...]:
    version = claims.opaque.driver_version or ""
    mode = claims.opaque.mode or "none"
    return (
        holds("driver version", version, policy.driver_versions, lambda: version in policy.driver_versions,
              reason=Reason.FIELD_NOT_ACCEPTED, source=f"{section}.driver_versions", expectation="one of those listed"),
        holds("driver version minimum", version, policy.minimum_driver_version,
              lambda: not _lower(version, policy.minimum_driver_version, 10), reason=Reason.VERSION_TOO_LOW,
              source=f"{section}.minimum_driver_version", expectation=f"at least {policy.minimum_driver_version}"),
        holds("mode", mode, policy.modes, lambda: mode in policy.modes, reason=Reason.PLATFORM_CONFIGURATION,
              source=f"{section}.modes", expectation="one of those listed"),
    )  # fmt: skip


def _switch(claims: NvidiaClaims, policy: NvidiaSwitchPolicy, section: str) -> tuple[Check, ...]:
    return (
        holds("switch lock", "locked" if claims.opaque.locked else "not locked", policy.lock,
              lambda: claims.opaque.locked is True, reason=Reason.PLATFORM_CONFIGURATION, source=f"{section}.lock"),
    )  # fmt: skip


def _lower(version: str, minimum: str, base: int) -> bool:
    """Whether a dotted version is below another. One that is not made of numbers is below all."""
    try:
        return tuple(int(part, base) for part in version.split(".")) < tuple(
            int(part, base) for part in minimum.split(".")
        )
    except ValueError:
        return True


def _platform(claims: NvidiaClaims, policy: NvidiaPolicy, section: str) -> Check:
    device = claims.device
    return holds(
        "device",
        f"ueid {device.ueid}, serial {device.serial}",
        policy.platforms,
        lambda: not {device.ueid, device.serial}.isdisjoint(policy.platforms),
        reason=Reason.PLATFORM_NOT_ACCEPTED,
        source=f"{section}.platforms",
        expectation="one of those listed",
    )


def _blocks(claims: NvidiaClaims, policy: NvidiaPolicy, section: str) -> tuple[Check, ...]:
    """Blocks by index against the policy's own values, beside or instead of manifests."""
    source = f"{section}.measurements"
    denied = [at for at, value in enumerate(claims.blocks, start=1) if value.hex() in policy.measurements_blacklist]
    last = (
        failed("measurements not denied", Reason.MEASUREMENT_DENIED, f"blocks {denied}", "none of those denied",
               f"{source}_blacklist")
        if denied
        else passed("measurements not denied", f"{len(claims.blocks)} blocks", "none of those denied",
                    f"{source}_blacklist")
    )  # fmt: skip
    if isinstance(policy.measurements, str):
        return open_("measurements", f"{len(claims.blocks)} blocks", source), last
    if not policy.measurements:
        return (
            failed("measurements", Reason.MEASUREMENT_NOT_ACCEPTED, f"{len(claims.blocks)} blocks",
                   "no block is named", source),
            last,
        )  # fmt: skip
    return (*(_block(claims, int(at), values, source) for at, values in policy.measurements.items()), last)


def _block(claims: NvidiaClaims, at: int, values: frozenset[str], source: str) -> Check:
    name = f"measurement {at}"
    if at > len(claims.blocks):
        return failed(name, Reason.MEASUREMENT_NOT_ACCEPTED, "not in the report", "a listed value", source)
    return among(name, claims.blocks[at - 1], values, reason=Reason.MEASUREMENT_NOT_ACCEPTED, source=source)


def unchecked() -> NvidiaGpuPolicy:
    """The built-in of `enarx vectors` for GPUs: debug refused, all else open."""
    return msgspec.convert(_open(NvidiaGpuPolicy), NvidiaGpuPolicy)


def switch_unchecked() -> NvidiaSwitchPolicy:
    """The same for switches."""
    return msgspec.convert(_open(NvidiaSwitchPolicy), NvidiaSwitchPolicy)


def _open(section: type[Section]) -> dict[str, object]:
    fields: dict[str, object] = dict.fromkeys(section.__struct_fields__, UNCHECKED)
    return {**fields, "measurements_blacklist": [], "debug": "refused"}
