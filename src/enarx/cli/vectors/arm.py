# SPDX-License-Identifier: Apache-2.0
"""Evidence vectors of Arm CCA and PSA tokens, and the keys that the caller names for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.cli.vectors.named_key import named_keys
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence import cca, psa
from enarx.evidence.anchor import Anchors
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import NOTHING

_UNTIMED = datetime(2026, 1, 1, tzinfo=UTC)
"""No certificate limits these tokens; the judge still wants a time, and looks at none."""
_SHORT_CHALLENGE = 64
"""Hexadecimal digits: descriptors list the first 32 bytes of CCA's 64-byte challenge."""


def judge(vector: Vector, case: Case, files: Mapping[str, bytes], *, production: Anchors) -> Outcome:
    """Judge one case of a CCA or PSA vector."""
    anchors = _anchors(case, files, production)
    when = case.when or _UNTIMED
    try:
        claims = _authenticated(vector.kind, files[vector.evidence], anchors, when)
    except EnarxError as error:
        return Outcome(verdict=error.family, reason=str(error))
    return Outcome(verdict="authentic", debug=claims.debug(), claims=_as_listed(claims.facts(), vector))


def _anchors(case: Case, files: Mapping[str, bytes], production: Anchors) -> Anchors:
    if case.trusted_key is None:
        return production
    keys = named_keys(files[case.trusted_key.file], case.trusted_key.file)
    return msgspec.structs.replace(production, name="named key", keys=keys)


def _authenticated(kind: str, raw: bytes, anchors: Anchors, when: datetime) -> Claims:
    match kind:
        case "cca":
            return cca.authenticate(cca.parse(raw), NOTHING, anchors=anchors, when=when)
        case "psa":
            return psa.authenticate(psa.parse(raw), NOTHING, anchors=anchors, when=when)
        case _:
            raise Malformed(Reason.UNKNOWN_KIND, kind)


def _as_listed(facts: dict[str, Any], vector: Vector) -> dict[str, Any]:
    """The facts, the challenge at the length at which the descriptor lists it."""
    listed = vector.claims.get("challenge")
    if isinstance(listed, str) and len(listed) == _SHORT_CHALLENGE and "challenge" in facts:
        return {**facts, "challenge": facts["challenge"][:_SHORT_CHALLENGE]}
    return facts
