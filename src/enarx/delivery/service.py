# SPDX-License-Identifier: Apache-2.0
"""The Keep's end of the attested channel: answers one question a connection."""

from __future__ import annotations

from collections.abc import Callable

from OpenSSL import SSL

from enarx.delivery import listener
from enarx.delivery.exchange import ALPN, MAX_QUESTION, Answer, Question, parse_question
from enarx.delivery.listener import PATIENCE, Handler, Listener
from enarx.delivery.tls import Tls

Answerer = Callable[[Question, bytes], Answer]
"""(question, this connection's exporter) -> answer"""


def server_context(key_pem: bytes, chain_pem: bytes) -> SSL.Context:
    """TLS 1.3 with the Keep's certificate, for `enarx-attest/1` alone."""
    return listener.server_context(key_pem, chain_pem, [ALPN])


def attesting(answer: Answerer) -> Handler:
    """Answer a relying party with evidence made for its connection."""

    def handle(tls: Tls) -> None:
        question = parse_question(tls.receive(MAX_QUESTION))
        tls.send(answer(question, tls.exporter(question.nonce)).encoded())

    return handle


class AttestationService(Listener):
    """A listener for relying parties and nobody else."""

    def __init__(
        self,
        context: SSL.Context,
        answer: Answerer,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(context, {ALPN: attesting(answer)}, host=host, port=port, patience=patience)
