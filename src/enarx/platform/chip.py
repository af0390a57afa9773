# SPDX-License-Identifier: Apache-2.0
"""What a Keep and a simulated chip say to each other: one request, one answer.

The chip is played by the launcher, which holds its key and what was measured at launch; the
Keep can only ask it to sign over bytes, as a guest asks a real one.
"""

from __future__ import annotations

from typing import Any, Protocol

from enarx.errors import Malformed, Reason
from enarx.evidence import endorsement
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind

MAX_BOUND = 64


class Chip(Protocol):
    """Makes evidence over bytes that a guest gives, about what was launched."""

    kind: Kind

    def evidence(self, bound: bytes) -> tuple[Evidence, Endorsements]:
        """Evidence, and the endorsements that the platform hands out with it."""


def request(bound: bytes) -> dict[str, Any]:
    """What a Keep asks."""
    return {"bound": bound}


def read_request(message: dict[str, Any]) -> bytes:
    """The bytes that a Keep asks to be signed over, at most 64."""
    bound = message.get("bound")
    if message.keys() != {"bound"} or not isinstance(bound, bytes) or len(bound) > MAX_BOUND:
        raise Malformed(Reason.SYNTAX, "request to the evidence device")
    return bound


def answer(evidence: Evidence, endorsements: Endorsements) -> dict[str, Any]:
    """What a chip answers."""
    return {
        "kind": str(evidence.kind),
        "body": evidence.body,
        "parts": evidence.parts,
        "endorsements": endorsement.encode(endorsements),
    }


def read_answer(message: dict[str, Any]) -> tuple[Evidence, Endorsements]:
    """The evidence that a chip answered with; `Malformed` if it is not one."""
    body, parts, endorsed = message.get("body"), message.get("parts"), message.get("endorsements")
    if not (isinstance(body, bytes) and isinstance(parts, dict) and isinstance(endorsed, bytes)):
        raise Malformed(Reason.SYNTAX, "answer of the evidence device")
    if message.get("kind") not in list(Kind):
        raise Malformed(Reason.UNKNOWN_KIND, "answer of the evidence device")
    if not all(isinstance(name, str) and isinstance(part, bytes) for name, part in parts.items()):
        raise Malformed(Reason.SYNTAX, "answer of the evidence device: parts")
    return Evidence(Kind(message["kind"]), body, parts), endorsement.decode(endorsed)
