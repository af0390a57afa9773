# SPDX-License-Identifier: Apache-2.0
"""An NVIDIA report held against the manifests of its driver and its VBIOS.

That the report is authentic does not depend on this: a manifest may be missing, expired or for
another version. What came of each is a finding, and the policy says what it must be.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from enarx.codec.ocsp import Status
from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence import rim
from enarx.evidence.check import Trail
from enarx.evidence.memory import Memory
from enarx.evidence.nvidia_ocsp import pairs_of, statuses
from enarx.evidence.nvidia_opaque import Opaque
from enarx.evidence.rim import AuthenticRim, Reference, Rim
from enarx.evidence.spdm import Block

NVDEC0_INDEX = 35
"""The measurement of the video decoder, which is not loaded where the report says it is disabled."""
SOURCE = "TCG Reference Integrity Manifest 1.01"


class Part(StrEnum):
    """Which software a manifest is for."""

    DRIVER = "driver"
    VBIOS = "vbios"


class Match(msgspec.Struct, frozen=True):
    """One manifest that was given, and what came of it.

    part        what it is for, or None: another version or another product
    version     that it is for; "" if it could not be read
    signer      who signed it; "" if nobody that we believe
    reason      None: it is genuine and every measurement agrees
    mismatched  SPDM block indices (from 1) that do not agree
    covered     SPDM block indices for which it has values
    ocsp        what was said of its signers: "good", "hold", "unknown" or "missing"
    """

    part: Part | None
    version: str
    signer: str
    reason: Reason | None
    mismatched: tuple[int, ...] = ()
    covered: tuple[int, ...] = ()
    ocsp: str = "missing"


def compare(
    given: tuple[bytes, ...],
    ocsp: tuple[bytes, ...],
    roots: tuple[Certificate, ...],
    *,
    product: str,
    opaque: Opaque,
    blocks: tuple[Block, ...],
    when: datetime,
    trail: Trail,
    memory: Memory[Any] | None = None,
) -> tuple[Match, ...]:
    """What came of each manifest that was given; each is noted in `trail`."""
    found = []
    for raw in given:
        match = _match(raw, ocsp, roots, product=product, opaque=opaque, blocks=blocks, when=when, memory=memory)
        trail.note(
            f"RIM {match.part or 'of something else'} {match.version}".rstrip(),
            _said(match),
            reason=match.reason,
            source=SOURCE,
        )
        found.append(match)
    return _without_conflicts(tuple(found), trail)


def _match(
    raw: bytes,
    ocsp: tuple[bytes, ...],
    roots: tuple[Certificate, ...],
    *,
    product: str,
    opaque: Opaque,
    blocks: tuple[Block, ...],
    when: datetime,
    memory: Memory[Any] | None,
) -> Match:
    part, version = None, ""
    known: AuthenticRim | None = memory.get(("rim", roots, raw)) if memory is not None else None
    try:
        parsed = known.rim if known is not None else rim.parse(raw)
        part, version = _part(parsed, product, opaque), parsed.version
        authentic = known or rim.authenticate_signature(parsed, roots)
        if memory is not None:
            memory.keep(("rim", roots, raw), authentic)
        rim.require_current(authentic, when=when)
        said = _signers_status(authentic, ocsp, when=when)
    except EnarxError as error:
        return Match(part, version, "", error.reason)
    covered = tuple(reference.index + 1 for reference in parsed.references)
    if part is None:
        return Match(None, version, authentic.signer, Reason.COLLATERAL_MISMATCH, covered=covered, ocsp=said)
    wrong = tuple(_disagreeing(parsed.references, blocks, opaque))
    reason = Reason.MEASUREMENT_NOT_ACCEPTED if wrong else None
    return Match(part, version, authentic.signer, reason, wrong, covered, said)


def _part(parsed: Rim, product: str, opaque: Opaque) -> Part | None:
    """A manifest is for this device when product and version are the ones in the signed report."""
    if _letters(parsed.product) != _letters(product):
        return None
    if opaque.driver_version is not None and parsed.version == opaque.driver_version.upper():
        return Part.DRIVER
    return Part.VBIOS if parsed.version == opaque.vbios_version else None


def _letters(product: str) -> str:
    """Certificates write LS_10 where manifests write LS10."""
    return product.replace("_", "").upper()


def _signers_status(authentic: AuthenticRim, ocsp: tuple[bytes, ...], *, when: datetime) -> str:
    pairs = pairs_of(authentic.path, first=0)
    return worst(statuses(ocsp, pairs, when=when, trail=Trail()), len(pairs))


def worst(said: dict[Certificate, Status], wanted: int) -> str:
    """One word for the statuses of `wanted` certificates."""
    if len(said) < wanted:
        return "missing"
    for status in (Status.UNKNOWN, Status.HOLD):
        if status in said.values():
            return str(status)
    return str(Status.GOOD)


def _disagreeing(references: tuple[Reference, ...], blocks: tuple[Block, ...], opaque: Opaque) -> Iterator[int]:
    """RIM index i is about SPDM block i + 1, whose value must be one of the alternatives."""
    for reference in references:
        if reference.index == NVDEC0_INDEX and opaque.nvdec0 is False:
            continue
        at = reference.index
        if at >= len(blocks) or blocks[at].value not in reference.values:
            yield at + 1


def _without_conflicts(matches: tuple[Match, ...], trail: Trail) -> tuple[Match, ...]:
    """Driver and VBIOS measure different things; manifests that both claim a block settle nothing."""
    by_part = {part: {i for m in matches if m.part is part and m.reason is None for i in m.covered} for part in Part}
    both = by_part[Part.DRIVER] & by_part[Part.VBIOS]
    if not both:
        return matches
    trail.note(
        "RIM driver and VBIOS",
        f"both have values for blocks {sorted(both)}",
        reason=Reason.INCONSISTENT,
        source=SOURCE,
    )
    return tuple(
        msgspec.structs.replace(m, reason=Reason.INCONSISTENT) if both.intersection(m.covered) else m for m in matches
    )


def _said(match: Match) -> str:
    if match.reason is None:
        return f"{len(match.covered)} measurements agree, signed by {match.signer}"
    if match.mismatched:
        return f"blocks {list(match.mismatched)} do not agree"
    return "of another version or product" if match.reason is Reason.COLLATERAL_MISMATCH else "not believed"


def manifest_ids(product: str, opaque: Opaque) -> tuple[str, ...]:
    """The names under which NVIDIA's RIM service has the manifests for a device.

    NV_GPU_DRIVER_GH100_550.90.07, NV_GPU_CC_DRIVER_GB100_575.32 (after Hopper),
    NV_GPU_VBIOS_1010_0200_882_96009F0001, NV_SWITCH_BIOS_5612_0002_890_9610550001.
    """
    digits = opaque.vbios_version.replace(".", "")
    if product.startswith("LS"):
        # A switch does not report its board; LS10 is sold on this one.
        return (f"NV_SWITCH_BIOS_5612_0002_890_{digits}",)
    names = [opaque.name(field).upper() for field in (17, 18, 15)]
    if opaque.driver_version is None or not all(names):
        raise Malformed(Reason.MISSING, "NVIDIA opaque data: driver version, project, project SKU or chip SKU")
    family = "NV_GPU_DRIVER" if product == "GH100" else "NV_GPU_CC_DRIVER"
    return (
        f"{family}_{product}_{opaque.driver_version}",
        f"NV_GPU_VBIOS_{'_'.join(names)}_{digits}",
    )
