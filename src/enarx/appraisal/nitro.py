# SPDX-License-Identifier: Apache-2.0
"""What a policy may ask of AWS Nitro enclaves and NitroTPM."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from enarx.appraisal.expectation import UNCHECKED, Section, Unchecked, holds
from enarx.appraisal.registers import Lists, registers
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.nitro import NitroClaims

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_SKEW = 60
"""Seconds. How far the hypervisor's clock may be ahead of the verifier's."""


class NitroPolicy(Section, frozen=True, kw_only=True):
    """[nitro]. Each key is required; `"unchecked"` leaves it open.

    debug          "refused": registers 0, 1 and 2 hold measurements
    pcrs           register to the values that it may hold; 0 image, 1 kernel, 2 application,
                   3 IAM role, 4 instance, 8 signer
    pcrs_blacklist register to values that it must not hold
    module_id      the enclaves that are accepted, by their names (`i-…-enc…`)
    max_age        seconds from the document's timestamp to the time of judging
    """

    debug: Literal["refused", "unchecked"]
    pcrs: Lists | Unchecked
    pcrs_blacklist: Lists
    module_id: frozenset[str] | Unchecked
    max_age: int | Unchecked


class NitroTpmPolicy(NitroPolicy, frozen=True, kw_only=True):
    """[nitrotpm]. As [nitro], of an instance: register 4 boot loaders, 7 secure boot, `i-…-tpm…`."""


def appraise(claims: NitroClaims, policy: NitroPolicy, *, when: datetime) -> tuple[Check, ...]:
    """Every check of the section."""
    section = f"policy: {claims.kind}"
    return (
        holds(
            "debug",
            "enabled" if claims.debug() else "disabled",
            policy.debug,
            lambda: not claims.debug(),
            reason=Reason.DEBUG_ENABLED,
            source=f"{section}.debug",
        ),
        *registers(claims.pcrs, policy.pcrs, policy.pcrs_blacklist, source=section),
        holds(
            "module_id",
            claims.module_id,
            policy.module_id,
            lambda: claims.module_id in policy.module_id,
            reason=Reason.PLATFORM_NOT_ACCEPTED,
            expectation="one of those listed",
            source=f"{section}.module_id",
        ),
        _age(claims, policy, when, section),
    )


def _age(claims: NitroClaims, policy: NitroPolicy, when: datetime, section: str) -> Check:
    made = EPOCH + timedelta(milliseconds=claims.timestamp)
    return holds(
        "timestamp",
        f"{made:%Y-%m-%dT%H:%M:%SZ}",
        policy.max_age,
        lambda: -CLOCK_SKEW <= (when - made).total_seconds() <= int(policy.max_age),
        reason=Reason.NOT_FRESH,
        expectation=f"at most {policy.max_age} s before {when:%Y-%m-%dT%H:%M:%SZ}",
        source=f"{section}.max_age",
    )


def unchecked() -> NitroPolicy:
    """The built-in policy of `enarx vectors`: debug refused, all else open."""
    return NitroPolicy(debug="refused", pcrs=UNCHECKED, pcrs_blacklist={}, module_id=UNCHECKED, max_age=UNCHECKED)


def tpm_unchecked() -> NitroTpmPolicy:
    """The same for NitroTPM."""
    return NitroTpmPolicy(debug="refused", pcrs=UNCHECKED, pcrs_blacklist={}, module_id=UNCHECKED, max_age=UNCHECKED)
