# SPDX-License-Identifier: Apache-2.0
"""A collection before it is appraised: what this verifier expects, with what ties the members."""

from __future__ import annotations

import msgspec

from enarx.appraisal.tied import Expected
from enarx.errors import Misused, Reason
from enarx.evidence.claims import Claims
from enarx.evidence.composition import ties
from enarx.evidence.envelope import Evidence


def joined(members: tuple[Evidence, ...], claims: tuple[Claims, ...], expected: Expected) -> Expected:
    """`expected` for `appraise`, with the ties of these members, whose claims stand in the same order."""
    if len(members) != len(claims):
        raise Misused(Reason.INCONSISTENT, f"{len(members)} members with claims of {len(claims)}")
    found = ties(members, claims, expected.binding)
    return msgspec.structs.replace(expected, linked=found.linked, composed=found.composed)
