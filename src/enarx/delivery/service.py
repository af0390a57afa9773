# SPDX-License-Identifier: Apache-2.0
"""The Keep's end of the attested channel: answers one question a connection."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from enarx.delivery.exchange import ALPN, MAX_QUESTION, Answer, Question, parse_question
from enarx.delivery.tls import Deadline, Tls
from enarx.errors import EnarxError, Misused, Reason

PATIENCE = 10.0
"""Seconds for a whole exchange."""
AT_ONCE = 32
"""Connections served at once; more wait in the listen queue."""

Answerer = Callable[[Question, bytes], Answer]
"""(question, this connection's exporter) -> answer"""


def server_context(key_pem: bytes, chain_pem: bytes) -> SSL.Context:
    """TLS 1.3 with the Keep's certificate, for `enarx-attest/1` alone."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    chain = x509.load_pem_x509_certificates(chain_pem)
    context.use_certificate(chain[0])
    for issuer in chain[1:]:
        context.add_extra_chain_cert(issuer)
    key = serialization.load_pem_private_key(key_pem, None)
    context.use_privatekey(key)  # type: ignore[arg-type]
    context.set_alpn_select_callback(lambda _, offered: ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS)
    return context


class AttestationService:
    """Listens, and answers every relying party with evidence made for its connection."""

    def __init__(self, context: SSL.Context, answer: Answerer, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._context = context
        self._answer = answer
        self._free = threading.BoundedSemaphore(AT_ONCE)
        try:
            self._listener = socket.create_server((host, port), backlog=64)
        except OSError as error:
            raise Misused(Reason.PORT_IN_USE, f"{host}:{port}: {error.strerror}") from None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Serve in a thread of its own until `stop`."""
        threading.Thread(target=self._accept, name="attestation", daemon=True).start()

    def renew(self, context: SSL.Context) -> None:
        """Use another certificate for connections from now on."""
        self._context = context

    def stop(self) -> None:
        """Accept no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            self._free.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            tls = Tls(self._context, Deadline(connection, PATIENCE), "relying party", server=True)
            tls.handshake()
            question = parse_question(tls.receive(MAX_QUESTION))
            tls.send(self._answer(question, tls.exporter(question.nonce)).encoded())
            tls.close()
        except (EnarxError, OSError, SSL.Error):
            pass  # a relying party that asks wrongly is told nothing and costs nothing
        finally:
            connection.close()
            self._free.release()
