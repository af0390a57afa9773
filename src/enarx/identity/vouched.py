# SPDX-License-Identifier: Apache-2.0
"""What vouched for a Keep, in the words of its certificate, of the log and of the ledger."""

from __future__ import annotations

from enarx.appraisal.ear import MEASUREMENTS
from enarx.appraisal.result import Appraisal
from enarx.evidence.anchor import PRODUCTION, SIMULATED
from enarx.evidence.kind import Kind, boot_of, without_tee

WORDS = ("simulated", "none", "legacy")


def words_for(appraisal: Appraisal) -> frozenset[str]:
    """Which of `WORDS` must be in the CA's subject to issue upon this appraisal."""
    words = set()
    if any(kind is Kind.NONE for kind in kinds_of(appraisal)) or without_tee(kinds_of(appraisal)):
        words.add("none")
    for claims in (member.claims for member in appraisal.members if member.claims.kind is not Kind.NONE):
        # Whoever makes software TPMs is no vendor, and simulates none: such a Keep is `none` and no more.
        if claims.anchors != PRODUCTION and (claims.anchors == SIMULATED or "none" not in words):
            words.add("simulated")
    return frozenset(words)


def kinds_of(appraisal: Appraisal) -> tuple[Kind, ...]:
    """The kinds of evidence that were judged together."""
    return tuple(member.claims.kind for member in appraisal.members)


def technology(appraisal: Appraisal) -> str:
    """What vouched, in words: `snp`, `snp simulated`, `tdx+nvidia-gpu`, `none`."""
    kinds = "none" if without_tee(kinds_of(appraisal)) else "+".join(kinds_of(appraisal))
    return f"{kinds} simulated" if "simulated" in words_for(appraisal) else kinds


def measurement(appraisal: Appraisal) -> str:
    """The first member's measurement in hexadecimal, or ""."""
    claims = appraisal.members[0].claims
    found = claims.facts().get(MEASUREMENTS.get(claims.kind, ""))
    return found if isinstance(found, str) else ""


def facts_of(appraisal: Appraisal) -> dict[str, str]:
    """By what certificates are found when something turns out bad: technology, measurement, platform."""
    facts = appraisal.members[0].claims.facts()
    chip = next((facts[key] for key in ("chip_id", "ppid", "platform_instance_id") if key in facts), "")
    return {
        "technology": technology(appraisal),
        "measurement": measurement(appraisal),
        "platform": chip if isinstance(chip, str) else "",
    }


def marks(appraisal: Appraisal) -> list[str]:
    """What must not be overlooked: the measurement, and a boot that only the host vouches for."""
    found = measurement(appraisal)
    boot = boot_of(kinds_of(appraisal))
    return [*([f"measurement {found}"] if found else []), *([f"boot {boot}"] if boot else [])]
