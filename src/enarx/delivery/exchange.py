# SPDX-License-Identifier: Apache-2.0
"""What a relying party and a Keep say to each other on an attested channel.

Over TLS 1.3 with the ALPN protocol `enarx-attest/1`, the relying party sends one question with
a fresh nonce; the Keep answers with evidence whose binding holds that nonce, the key of its
certificate, the launch digest and this connection's exporter (design 4.4). Each message is a
4-byte big-endian length and deterministic CBOR. No IO here.
"""

from __future__ import annotations

import msgspec

from enarx.codec import cbor
from enarx.delivery.message import VERSION, require_size, table
from enarx.evidence import endorsement
from enarx.evidence.endorsement import Endorsements

ALPN = b"enarx-attest/1"
MAX_QUESTION = 1024
MAX_ANSWER = 8 << 20
NONCE_SIZE = 32


class Question(msgspec.Struct, frozen=True):
    """A relying party's challenge: 32 fresh bytes."""

    nonce: bytes

    def encoded(self) -> bytes:
        """The message."""
        return cbor.encode({"v": VERSION, "nonce": self.nonce})


class Answer(msgspec.Struct, frozen=True):
    """A Keep's evidence (a CMW), what may vouch for it, its launch document and its EAR.

    Nothing in it is believed: the relying party builds the binding from values of its own and
    compares the document's digest with what the hardware shows.
    """

    evidence: bytes
    endorsements: Endorsements
    launch: bytes

    def encoded(self) -> bytes:
        """The message."""
        return cbor.encode(
            {
                "v": VERSION,
                "evidence": self.evidence,
                "endorsements": endorsement.encode(self.endorsements),
                "launch": self.launch,
            }
        )


def parse_question(raw: bytes) -> Question:
    """`Malformed` unless it is one well-formed question."""
    found = table(raw, "question", {"nonce": bytes})
    require_size(found["nonce"], NONCE_SIZE, "question: nonce")
    return Question(found["nonce"])


def parse_answer(raw: bytes) -> Answer:
    """`Malformed` unless it is one well-formed answer."""
    found = table(raw, "answer", {"evidence": bytes, "endorsements": bytes, "launch": bytes})
    return Answer(found["evidence"], endorsement.decode(found["endorsements"]), found["launch"])
