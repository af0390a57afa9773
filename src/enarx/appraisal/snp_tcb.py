# SPDX-License-Identifier: Apache-2.0
"""The least TCB that a policy accepts of each product, component by component."""

from __future__ import annotations

import functools
from typing import Annotated

import msgspec

from enarx.appraisal.expectation import Unchecked, failed, open_, passed
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.evidence.snp import SnpClaims
from enarx.evidence.snp_tcb import at_most, components

Svn = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Zen4Tcb(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Security versions of Milan and Genoa."""

    bootloader: Svn
    tee: Svn
    snp: Svn
    microcode: Svn


class TurinTcb(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Security versions of Turin."""

    fmc: Svn
    bootloader: Svn
    tee: Svn
    snp: Svn
    microcode: Svn


class MinimumTcb(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By product; one that is left out is not accepted."""

    milan: Zen4Tcb | None = None
    genoa: Zen4Tcb | None = None
    turin: TurinTcb | None = None


SOURCE = "policy: snp.minimum_tcb"


def minimum_tcb(claims: SnpClaims, wanted: MinimumTcb | Unchecked) -> Check:
    """No component of REPORTED_TCB is below the minimum, and the firmware's own order holds.

    REPORTED is what the key stands for. It may not be above COMMITTED, nor that above CURRENT
    (AMD 56860 section 3.3): firmware that says so is not to be believed about its version.
    """
    report = claims.report
    found = components(report.reported_tcb, claims.product)
    fact = _words(tuple(found.items()))
    if isinstance(wanted, str):
        return open_("REPORTED_TCB", fact, SOURCE)
    least = getattr(wanted, claims.product.lower())
    if least is None:
        return failed("REPORTED_TCB", Reason.GENERATION_NOT_ACCEPTED, fact, f"no minimum for {claims.product}", SOURCE)
    minimums: dict[str, int] = msgspec.structs.asdict(least)
    below = [name for name, minimum in minimums.items() if found[name] < minimum]
    ordered = at_most(report.reported_tcb, report.committed_tcb) and at_most(report.committed_tcb, report.current_tcb)
    at_least = f"at least {_words(tuple(minimums.items()))}"
    if below or not ordered:
        expectation = at_least if below else "REPORTED at most COMMITTED at most CURRENT"
        return failed("REPORTED_TCB", Reason.TCB_TOO_LOW, fact, expectation, SOURCE, "update the platform's firmware")
    return passed("REPORTED_TCB", fact, at_least, SOURCE)


@functools.lru_cache(maxsize=256)
def _words(tcb: tuple[tuple[str, int], ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in tcb)
