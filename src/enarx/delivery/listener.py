# SPDX-License-Identifier: Apache-2.0
"""Where a Keep listens for strangers: one TLS address, one handler for each ALPN protocol it speaks."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Mapping

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from enarx.delivery.tls import Deadline, Tls
from enarx.errors import EnarxError, Misused, Reason

PATIENCE = 10.0
"""Seconds for a whole exchange."""
AT_ONCE = 32
"""Connections served at once; more wait in the listen queue."""

Handler = Callable[[Tls], None]
"""Holds one exchange on a connection whose handshake is done."""


def server_context(key_pem: bytes, chain_pem: bytes, protocols: Iterable[bytes]) -> SSL.Context:
    """TLS 1.3 with the Keep's certificate, for these ALPN protocols alone."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    chain = x509.load_pem_x509_certificates(chain_pem)
    context.use_certificate(chain[0])
    for issuer in chain[1:]:
        context.add_extra_chain_cert(issuer)
    key = serialization.load_pem_private_key(key_pem, None)
    context.use_privatekey(key)  # type: ignore[arg-type]
    ours = frozenset(protocols)

    def select(_: SSL.Connection, offered: list[bytes]) -> bytes | object:
        return next((one for one in offered if one in ours), SSL.NO_OVERLAPPING_PROTOCOLS)

    context.set_alpn_select_callback(select)  # type: ignore[arg-type]
    return context


class Listener:
    """Listens, and gives every connection a thread and a time of its own."""

    def __init__(
        self,
        context: SSL.Context,
        handlers: Mapping[bytes, Handler],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        patience: float = PATIENCE,
    ) -> None:
        self._context = context
        self._handlers = dict(handlers)
        self._patience = patience
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
            tls = Tls(self._context, Deadline(connection, self._patience), "relying party", server=True)
            tls.handshake()
            if handle := self._handlers.get(tls.alpn()):
                handle(tls)
            tls.close()
        except (EnarxError, OSError, SSL.Error):
            pass  # a stranger that asks wrongly is told nothing and costs nothing
        finally:
            connection.close()
            self._free.release()
