# SPDX-License-Identifier: Apache-2.0
"""One HTTP/1.1 connection: Uvicorn's, with the peer's certificate and limits that it lacks.

The certificate is put into `scope["extensions"]["tls"]["client_cert_der"]` (DER, or None). TLS
has checked that its holder has the key and that one of the context's CAs issued it; who may do
what with it is the service's affair.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from enarx.errors import EnarxError, Malformed, Reason
from enarx.web import problem
from enarx.web.limits import Limits


class Protocol(HttpToolsProtocol):
    """See the module; `limits` is set on a subclass of one server's own."""

    limits: ClassVar[Limits] = Limits()
    clients: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """TLS, if any, is established."""
        super().connection_made(transport)
        self._head = 0
        self._refusal: EnarxError = Malformed(Reason.SYNTAX, "HTTP request")
        tls = transport.get_extra_info("ssl_object")
        self._tls = {"tls": {"client_cert_der": tls.getpeercert(True) if isinstance(tls, ssl.SSLObject) else _der(tls)}}
        self._deadline: asyncio.TimerHandle | None = None
        self._name = self.client[0] if self.client else ""
        self.clients[self._name] += 1
        crowd = len(self.connections) > self.limits.connections
        if crowd or self.clients[self._name] > self.limits.client_connections:
            transport.abort()
        else:
            self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_clock()
        self.clients[self._name] -= 1
        if self.clients[self._name] <= 0:
            del self.clients[self._name]
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head = 0
        self.scope["extensions"] = self._tls  # type: ignore[typeddict-item]
        if self._deadline is None:
            self._start_clock()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(len(name) + len(value) + 4)
        if len(self.headers) >= self.limits.headers:
            self._stop(f"{len(self.headers) + 1} headers, at most {self.limits.headers}")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The end of a request's head."""
        self._stop_clock()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the base class says it in its own words
        """What could not be read as a request: a problem document, and the end of the connection."""
        status = 431 if self._refusal.reason is Reason.TOO_LARGE else 400
        body = problem.of(self._refusal, status=status).encoded()
        head = (
            f"HTTP/1.1 {status} {'Bad Request' if status == 400 else 'Request Header Fields Too Large'}\r\n"
            f"content-type: {problem.MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > self.limits.head:
            self._stop(f"request head, at most {self.limits.head} bytes")

    def _stop(self, what: str) -> None:
        self._refusal = Malformed(Reason.TOO_LARGE, what)
        raise self._refusal

    def _start_clock(self) -> None:
        self._deadline = self.loop.call_later(self.limits.head_seconds, self._too_slow)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def _der(tls: Any) -> bytes | None:
    return tls.getpeercert(True) if tls is not None else None


def limited(limits: Limits) -> type[Protocol]:
    """The protocol of one server."""
    return type("LimitedProtocol", (Protocol,), {"limits": limits, "clients": Counter()})
