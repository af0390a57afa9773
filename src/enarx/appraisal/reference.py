# SPDX-License-Identifier: Apache-2.0
"""Reference values: signed lists of what may run, which expire and are superseded.

A policy that leaves a field open stays open; where it lists values, those of the reference
values are listed too. Nothing here widens a policy that does not ask for it by giving the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from enarx.appraisal import boot_events
from enarx.appraisal.expectation import UNCHECKED, Section
from enarx.appraisal.policy import Loaded, Policy
from enarx.appraisal.sgx import SgxPolicy
from enarx.appraisal.snp import SnpPolicy
from enarx.appraisal.tdx import TdxPolicy
from enarx.errors import Reason, Unacceptable, Unauthentic, Undetermined

LISTS: dict[tuple[str, str], str] = {
    ("snp", "MEASUREMENT"): "hash",
    ("snp", "AUTHOR_KEY_DIGEST"): "signer",
    ("snp", "ID_KEY_DIGEST"): "id_key_digest",
    ("sgx", "MRENCLAVE"): "hash",
    ("sgx", "MRSIGNER"): "signer",
    ("tdx", "MRTD"): "mrtd",
    ("tdx", "MRSEAM"): "mrseam",
    ("tdx", "MRSIGNERSEAM"): "mrsignerseam",
    ("tdx", "RTMR0"): "rtmr0",
    ("tdx", "RTMR1"): "rtmr1",
    ("tdx", "RTMR2"): "rtmr2",
    ("tdx", "RTMR3"): "rtmr3",
}
"""The field of a section that lists the values of a measured element, by technology and name."""

REGISTERS = frozenset({"nitro", "nitrotpm", "tpm", "azure"})
"""Technologies whose measured elements are registers, by number."""
EVENTS = frozenset({"tpm", "azure"})
_EVENT = re.compile("event:([0-9]|[12][0-9]|3[01]):(.{1,80})", re.ASCII)


def event(register: int, of: str) -> str:
    """The element that stands for an event of a register's log: what is measured there, by name."""
    return f"event:{register}:{of}"


def is_event(technology: str, element: object) -> bool:
    """Whether an element is an event's (`event`)."""
    return technology in EVENTS and isinstance(element, str) and _EVENT.fullmatch(element) is not None


class Value(msgspec.Struct, frozen=True):
    """One value that may be measured: a digest with its algorithm ("sha-384"), or raw bytes (None).

    `label` tells people of what it is, among several of one element ("EPYC-v4, 2 processors").
    """

    technology: str
    element: str | int
    algorithm: str | None
    raw: bytes
    label: str = ""


class ReferenceValues(msgspec.Struct, frozen=True, kw_only=True):
    """What a manifest lists, once its signature holds.

    name              the manifest's tag identity; versions of it supersede each other
    security_version  monotonic
    signer            SHA-256 of the SubjectPublicKeyInfo that signed it
    """

    name: str
    security_version: int
    not_before: datetime
    not_after: datetime
    values: tuple[Value, ...]
    signer: bytes
    digest: bytes


def current(
    found: Iterable[ReferenceValues], *, when: datetime, minimum: int | None = None
) -> tuple[ReferenceValues, ...]:
    """The newest version of each manifest, valid at `when`.

    A superseded version is left out, whoever shows it. `Unacceptable` when the newest has
    expired or is below `minimum`; `Unauthentic` when two differ under one version.
    """
    newest: dict[tuple[str, bytes], ReferenceValues] = {}
    for one in found:
        known = newest.get((one.name, one.signer))
        if known is not None and known.security_version == one.security_version and known.digest != one.digest:
            raise Unauthentic(
                Reason.INCONSISTENT, f"reference values {one.name}: two of version {one.security_version}"
            )
        if known is None or one.security_version > known.security_version:
            newest[one.name, one.signer] = one
    for one in newest.values():
        _require_current(one, when, minimum)
    return tuple(newest.values())


def _require_current(one: ReferenceValues, when: datetime, minimum: int | None) -> None:
    what = f"reference values {one.name} version {one.security_version}"
    if when > one.not_after:
        raise Unacceptable(Reason.REFERENCE_VALUES_EXPIRED, what, hint="get the newer version from whoever signed it")
    if when < one.not_before:
        raise Undetermined(Reason.NOT_YET_VALID, what)
    if minimum is not None and one.security_version < minimum:
        raise Unacceptable(Reason.SECURITY_VERSION_TOO_LOW, what, hint=f"version {minimum} or later is wanted")


def joined(loaded: Loaded, references: Iterable[ReferenceValues]) -> Loaded:
    """The policy with reference values joined to it; results name them."""
    given = tuple(references)
    said = tuple(f"{one.name} version {one.security_version} sha256:{one.digest.hex()}" for one in given)
    events = boot_events.joined(loaded.events, _events(given))
    return Loaded(applied(loaded.policy, given), loaded.digest, (*loaded.references, *said), events)


def _events(references: Iterable[ReferenceValues]) -> Iterator[tuple[str, str, str, str]]:
    """Technology, register, name and digest of each event that is listed."""
    for reference in references:
        for value in reference.values:
            if found := _EVENT.fullmatch(str(value.element)):
                yield value.technology, found[1], found[2], value.raw.hex()


def applied(policy: Policy, references: Iterable[ReferenceValues]) -> Policy:
    """The policy with the values listed where it lists values of its own."""
    listed: dict[tuple[str, str, str], set[str]] = {}
    for reference in references:
        for value in (one for one in reference.values if not is_event(one.technology, one.element)):
            listed.setdefault(_place(value), set()).add(value.raw.hex())
    sections: dict[str, Section] = {}
    for (technology, bank, element), values in listed.items():
        section = sections.get(technology, getattr(policy, technology))
        if section is not None:
            sections[technology] = _extended(section, bank, element, frozenset(values))
    return msgspec.structs.replace(policy, **sections)


def _place(value: Value) -> tuple[str, str, str]:
    """Technology, bank of registers ("" where there are none, or one), element."""
    several = value.technology in ("tpm", "azure")
    return value.technology, (value.algorithm or "").replace("-", "") if several else "", str(value.element)


def _extended(section: Section, bank: str, element: str, values: frozenset[str]) -> Section:
    """The section with `values` added to the list for this element, unless that is left open."""
    field = LISTS.get((_technology(section), element), "pcrs")
    known = getattr(section, field)
    if known == UNCHECKED:
        return section
    more: Any = known | values if isinstance(known, frozenset) else _registers(known, bank, element, values)
    return msgspec.structs.replace(section, **{field: more})


def _technology(section: Section) -> str:
    return {SnpPolicy: "snp", SgxPolicy: "sgx", TdxPolicy: "tdx"}.get(type(section), "")


def _registers(known: Any, bank: str, element: str, values: frozenset[str]) -> Any:
    """Registers stand by number, below their bank where a technology has several."""
    inner = known.get(bank, {}) if bank else known
    inner = {**inner, element: frozenset(inner.get(element, frozenset())) | values}
    return {**known, bank: inner} if bank else inner
