# SPDX-License-Identifier: Apache-2.0
"""Fuzz what a Keep reads from strangers: launch documents, bindings, questions, answers, frames, DNS."""

from __future__ import annotations

from driver import families, main

from enarx.codec import dns
from enarx.delivery import exchange
from enarx.evidence import binding, endorsement
from enarx.evidence.endorsement import Endorsements
from enarx.platform import chip
from enarx.platform.control import Deframer, frame
from enarx.workload import launch

_BINDING = binding.Binding(purpose=binding.Purpose.ISSUE, spki=b"s" * 48, nonce=b"n" * 32, launch=b"l" * 32)
_LAUNCH = launch.Launch(package=b"p" * 32, tenant=b"key", deployment=b"d" * 16, args=("a",), env={"A": "b"})
_ANSWER = exchange.Answer(b"evidence", Endorsements(certificates=(b"c",), crls=(b"r",)), b"launch")
SEEDS = (
    _LAUNCH.encoded(),
    _BINDING.encoded(),
    exchange.Question(b"n" * 32).encoded(),
    _ANSWER.encoded(),
    frame({"op": "open", "launch": b"x", "attest": "127.0.0.1:0"}),
    endorsement.encode(Endorsements(ocsp=(b"o",))),
    dns.query("keep.example", dns.Kind.A, 0).replace(b"\1\0", b"\x81\x80", 1),
)


def target(data: bytes) -> None:
    for read in (
        launch.parse,
        binding.parse,
        exchange.parse_question,
        exchange.parse_answer,
        endorsement.decode,
    ):
        with families():
            read(data)
    with families():
        dns.answer(data, "keep.example", dns.Kind.A, 0)
    with families():
        for message in Deframer().feed(data):
            chip.read_answer(message)


if __name__ == "__main__":
    main(target, SEEDS)
