# SPDX-License-Identifier: Apache-2.0
"""Software components of Arm platforms against lists of measurements and of signers.

A policy lists what it knows; a component that is not on the list makes the platform one that it
does not know. The facts of each check name the components that decided it.
"""

from __future__ import annotations

from collections.abc import Callable

from enarx.appraisal.expectation import Unchecked, failed, open_, passed
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.psa_claimset import Component


def component_checks(
    components: tuple[Component, ...],
    measurements: frozenset[str] | Unchecked,
    denied_measurements: frozenset[str],
    signers: frozenset[str] | Unchecked,
    denied_signers: frozenset[str],
    *,
    section: str,
) -> tuple[Check, ...]:
    """Four checks: measurements and signers, allowed and denied."""
    return (
        _every("components", components, _measurement, measurements, Reason.MEASUREMENT_NOT_ACCEPTED, section),
        _none("components", components, _measurement, denied_measurements, Reason.MEASUREMENT_DENIED, section),
        _every("signer", components, _signer, signers, Reason.SIGNER_NOT_ACCEPTED, section),
        _none("signer", components, _signer, denied_signers, Reason.SIGNER_DENIED, section),
    )


def _measurement(component: Component) -> str:
    return component.measurement.hex()


def _signer(component: Component) -> str:
    return component.signer.hex()


def _every(
    field: str,
    components: tuple[Component, ...],
    read: Callable[[Component], str],
    allowed: frozenset[str] | Unchecked,
    reason: Reason,
    section: str,
) -> Check:
    """Each component's value is listed. None measured is none listed: that accepts nothing."""
    name, source = f"software components: {field}", f"{section}.{field}"
    if isinstance(allowed, str):
        return open_(name, f"{len(components)} components", source)
    if not components:
        return failed(name, reason, "nothing was measured", "measured components", source)
    strange = [component for component in components if read(component) not in allowed]
    if strange:
        return failed(name, reason, _named(strange, read), "every one listed", source)
    return passed(name, f"{len(components)} components", "every one listed", source)


def _none(
    field: str,
    components: tuple[Component, ...],
    read: Callable[[Component], str],
    denied: frozenset[str],
    reason: Reason,
    section: str,
) -> Check:
    name, source = f"software components: {field} not denied", f"{section}.{field}_blacklist"
    found = [component for component in components if read(component) in denied]
    if found:
        return failed(name, reason, _named(found, read), "none of those denied", source)
    return passed(name, f"{len(components)} components", "none of those denied", source)


def _named(components: list[Component], read: Callable[[Component], str]) -> str:
    """The first few, by what they are and by their value."""
    said = ", ".join(f"{component.type or 'component'} {read(component)}" for component in components[:3])
    return said if len(components) <= 3 else f"{said} and {len(components) - 3} more"
