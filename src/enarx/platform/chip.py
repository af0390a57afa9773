# SPDX-License-Identifier: Apache-2.0
"""What a Keep and a simulated chip say to each other: one request, one answer.

The chip is played by the launcher, which holds its key and what was measured at launch; the
Keep can only ask it to sign over bytes, as a guest asks a real one.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol, runtime_checkable

from enarx.errors import Malformed, Reason
from enarx.evidence import endorsement
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.answering import answering

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


SEALING_REQUEST: dict[str, Any] = {"seal": True}
"""What a Keep asks for a key that this image gets on this machine alone, as SNP_GET_DERIVED_KEY gives one."""
SEALING_KEY_SIZE = 32


@runtime_checkable
class SealingChip(Protocol):
    """A chip that derives keys for what was launched on it."""

    def sealing_key(self) -> bytes:
        """32 bytes, the same for the same measurement on the same chip."""


def respond(chip: Chip, message: dict[str, Any]) -> dict[str, Any]:
    """What a chip says to a Keep's request; `Malformed` for anything that is none."""
    if message == SEALING_REQUEST:
        return {"key": chip.sealing_key()} if isinstance(chip, SealingChip) else {"key": None}
    return answer(*chip.evidence(read_request(message)))


def played(chip: Chip) -> socket.socket:
    """A stream at whose other end the chip answers."""
    return answering("simulated chip", lambda message: respond(chip, message))


def read_sealing_key(message: dict[str, Any]) -> bytes | None:
    """The key in a chip's answer, None for a chip that derives none; `Malformed` for anything else."""
    key = message.get("key")
    if message.keys() != {"key"} or not (key is None or (isinstance(key, bytes) and len(key) == SEALING_KEY_SIZE)):
        raise Malformed(Reason.SYNTAX, "sealing key of the evidence device")
    return key


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
