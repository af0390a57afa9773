# SPDX-License-Identifier: Apache-2.0
"""Attacks published on the memory of the generation that was seen, so that a result does not promise too much.

They are notes: a policy that minds names generations, SGX types or the machines whose place it knows.
"""

from __future__ import annotations

from enarx.errors import Reason
from enarx.evidence.check import Check, Verdict
from enarx.evidence.intel_claims import IntelClaims


def _note(fact: str, source: str) -> tuple[Check, ...]:
    mend = "accept only machines whose place you know: platforms"
    said = f"memory interposer: whoever holds the machine can {fact}"
    return (Check("published physical attack", Verdict.NOTED, Reason.PUBLISHED_ATTACK, said, "", source, mend),)


_DDR4 = _note(
    "extract its attestation key (WireTap) and read and change memory (Battering RAM)", "https://wiretap.fail"
)
_DDR5 = _note(
    "extract its attestation key, so that a quote does not prove where it was made (TEE.fail)", "https://tee.fail"
)
_BY_GENERATION = {"ice-lake-sp": _DDR4, "ice-lake-d": _DDR4}
INTEGRITY_TREE = "standard"
"""Desktop SGX keeps its memory in an integrity tree; the interposers need the deterministic encryption of servers."""


def known_attacks(claims: IntelClaims) -> tuple[Check, ...]:
    """One note for each attack that nothing in these claims rules out."""
    if claims.platform.sgx_type == INTEGRITY_TREE:
        return ()
    return _BY_GENERATION.get(claims.generation(), _DDR5)
