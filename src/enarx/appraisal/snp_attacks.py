# SPDX-License-Identifier: Apache-2.0
"""Attacks published on the generation that was seen, so that a result does not promise too much.

They are notes: a policy that minds names generations, chips, flags and TCB minimums.
"""

from __future__ import annotations

from enarx.errors import Reason
from enarx.evidence.check import Check, Verdict
from enarx.evidence.snp import SnpClaims
from enarx.evidence.snp_tcb import Product, components

_ALIAS_CHECK_COMPLETE = 1 << 5
_ENTRYSIGN_SNP = {Product.MILAN: 0x18, Product.GENOA: 0x17}


def known_attacks(claims: SnpClaims) -> tuple[Check, ...]:
    """One note for each attack that nothing in these claims rules out."""
    notes = [_INTERPOSER]
    if claims.product is Product.MILAN:
        notes.append(_VCEK_SEED)
    if not claims.report.platform_info & _ALIAS_CHECK_COMPLETE:
        notes.append(_BADRAM)
    least = _ENTRYSIGN_SNP.get(claims.product)
    if least is not None and components(claims.report.reported_tcb, claims.product)["snp"] < least:
        notes.append(_ENTRYSIGN)
    return tuple(notes)


def _note(fact: str, source: str, mend: str, name: str = "published attack") -> Check:
    return Check(name, Verdict.NOTED, Reason.PUBLISHED_ATTACK, fact, "", source, mend)


_INTERPOSER = _note(
    "memory interposer: whoever holds the machine can extract its keys (TEE.fail, Battering RAM)",
    "https://tee.fail",
    "accept only chips whose place you know: snp.platforms",
    "published physical attack",
)
_VCEK_SEED = _note(
    "Milan: the seed of VCEKs can be extracted, so that any TCB can be claimed",
    "https://arxiv.org/abs/2605.12990",
    "accept other generations: snp.generations",
)
_BADRAM = _note(
    "BadRAM (CVE-2024-21944): memory modules that lie about their size; no alias check is reported",
    "https://badram.eu",
    "require AliasCheckComplete: snp.platform_info_flags",
)
_ENTRYSIGN = _note(
    "EntrySign (CVE-2024-56161): microcode with a forged signature; fixed by SNP firmware 0x18 (Milan), 0x17 (Genoa)",
    "AMD-SB-3019",
    "set the minimum: snp.minimum_tcb",
)
