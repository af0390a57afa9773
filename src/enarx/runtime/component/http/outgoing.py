# SPDX-License-Identifier: Apache-2.0
"""A component's own requests: the agent opens the connection if the manifest allows it, TLS ends there too."""
# ruff: noqa: D102 - methods are documented where they are first named, in `polling`

from __future__ import annotations

import errno
import select
import time

from enarx.runtime import wire as messages
from enarx.runtime.component.http.body import Body
from enarx.runtime.component.http.exchange import OutgoingBody, announced
from enarx.runtime.component.http.fields import HOP_BY_HOP, Fields
from enarx.runtime.component.http.incoming import IncomingResponse, Source
from enarx.runtime.component.http.sink import Sink
from enarx.runtime.component.http.syntax import END, MOST_HEAD, Entries, Refusal, Response, head, response
from enarx.runtime.component.http.wire import Wire
from enarx.runtime.component.interface import Refused
from enarx.runtime.component.launch import Launch
from enarx.runtime.component.polling import Pollable
from enarx.runtime.component.types import Case, Err, Ok
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.socket import Connection

DEFAULT = {"HTTPS": ("tls", 443), "HTTP": ("tcp", 80)}
FAILED = {
    errno.EACCES: Case("HTTP-request-denied"),
    errno.EKEYREJECTED: Case("TLS-certificate-error"),
    errno.ENOENT: Case("DNS-error", (None, None)),
    errno.ECONNREFUSED: Case("connection-refused"),
    errno.ECONNABORTED: Case("connection-terminated"),
    errno.EAGAIN: Case("connection-limit-reached"),
}
"""What the agent's refusals are as error-codes."""
LEAST_INTERIM = 100


class RequestOptions:
    """`request-options`: durations in nanoseconds. Connecting has the agent's own bound."""

    connect: int | None = None
    first_byte: int | None = None
    between_bytes: int | None = None

    def drop(self) -> None:
        """Nothing is held."""


class OutgoingRequest:
    """`outgoing-request`."""

    def __init__(self, headers: Fields) -> None:
        self.headers = headers
        self.method = "GET"
        self.path: str | None = None
        self.scheme: Case | None = None
        self.authority: str | None = None
        self.body: OutgoingBody | None = None

    def take_body(self) -> OutgoingBody:
        """The body; the second time, an error."""
        if self.body is not None:
            raise Refused
        self.body = OutgoingBody(announced(self.headers.entries))
        return self.body

    def drop(self) -> None:
        """Nothing is held."""

    def head(self, authority: str, length: int | None, *, chunked: bool) -> bytes:
        """As it is sent: one request a connection."""
        hidden = HOP_BY_HOP | {"content-length"}
        entries: Entries = [("host", authority.encode())]
        entries += [one for one in self.headers.entries if one[0] not in hidden]
        if chunked:
            entries.append(("transfer-encoding", b"chunked"))
        elif length is not None and (length or self.body is not None):
            entries.append(("content-length", b"%d" % length))
        entries.append(("connection", b"close"))
        return head(f"{self.method} {_target(self.path)} HTTP/1.1", entries)


def _target(path: str | None) -> str:
    return path if path and path[0] in "/*" else f"/{path or ''}"


class Upstream(Source):
    """The body of a response; its connection is given back when nobody reads it any more."""

    def __init__(self, wire: Wire, body: Body, table: Table, number: int) -> None:
        super().__init__(wire, body)
        self._table, self._number = table, number

    def drop(self) -> None:
        if self._table.open.get(self._number) is self.wire.descriptor:
            self._table.close(self._number)


class FutureResponse:
    """`future-incoming-response`."""

    def __init__(self, wire: Wire, table: Table, number: int, method: str, options: RequestOptions) -> None:
        self._wire = wire
        self._table, self._number = table, number
        self._method = method
        self._options = options
        self._since = time.monotonic_ns()
        self._outcome: Ok | Err | None = None
        self._taken = False

    def ready(self) -> bool:
        """Whether it is decided."""
        while self._outcome is None and self._wire.fill():
            self._decide()
        late = self.due()
        if self._outcome is None and late is not None and time.monotonic_ns() >= late:
            self._outcome = Err(Case("connection-read-timeout"))
        return self._outcome is not None

    def due(self) -> int | None:
        """When the first byte must have come."""
        wanted = self._options.first_byte
        return None if wanted is None or self._wire.buffer else self._since + wanted

    def _decide(self) -> None:
        buffer = self._wire.buffer
        end = buffer.find(END)
        if end < 0:
            if len(buffer) >= MOST_HEAD:
                self._outcome = Err(Case("HTTP-response-header-section-size", len(buffer)))
            elif self._wire.over:
                self._outcome = Err(Case("HTTP-response-incomplete" if buffer else "connection-terminated"))
            return
        raw = bytes(buffer[: end + len(END)])
        del buffer[: len(raw)]
        try:
            told = response(raw, self._method)
        except Refusal:
            self._outcome = Err(Case("HTTP-protocol-error"))
            return
        if LEAST_INTERIM <= told.status < 2 * LEAST_INTERIM:
            self._decide()
        else:
            self._outcome = Ok(self._received(told))

    def _received(self, told: Response) -> IncomingResponse:
        body = Body(self._wire, told.framing)
        return IncomingResponse(told, Upstream(self._wire, body, self._table, self._number))

    def pollable(self) -> Pollable:
        return Coming(self, self._wire)

    def get(self) -> Ok | Err | None:
        """None before it is decided; the outcome once; then an error."""
        if self._taken:
            return Err()
        if not self.ready():
            return None
        self._taken = True
        return Ok(self._outcome)

    def drop(self) -> None:
        if (
            not (self._taken and isinstance(self._outcome, Ok))
            and self._table.open.get(self._number) is self._wire.descriptor
        ):
            self._table.close(self._number)


class Coming(Pollable):
    """Ready when a response has come, or will not."""

    def __init__(self, future: FutureResponse, wire: Wire) -> None:
        self._future = future
        self._wire = wire

    def now(self) -> bool:
        self._wire.flush()
        return self._future.ready()

    def interest(self) -> tuple[int, int] | None:
        return self._wire.fd, select.POLLIN | (select.POLLOUT if self._wire.waiting else 0)

    def due(self) -> int | None:
        return self._future.due()

    def woken(self) -> bool:
        return self.now()


def ask(launch: Launch, request: OutgoingRequest, options: RequestOptions) -> FutureResponse:
    """Open a connection and send the head, as soon as it is known how the body is framed; Refused with an error-code."""
    scheme = request.scheme.name if request.scheme else "HTTPS"
    if scheme not in DEFAULT or request.authority is None:
        raise Refused(Case("HTTP-request-URI-invalid"))
    protocol, port = DEFAULT[scheme]
    named = request.authority.rpartition("]")[2]
    target = request.authority if ":" in named else f"{request.authority}:{port}"
    descriptor = _connected(launch, target, protocol)
    number = launch.table.add(descriptor)
    wire = Wire(descriptor, descriptor.fileno(), secure=protocol == "tls")
    _begin(request, wire)
    return FutureResponse(wire, launch.table, number, request.method, options)


def _connected(launch: Launch, target: str, protocol: str) -> Connection:
    if launch.channel is None:
        raise Refused(FAILED[errno.EACCES])
    launch.channel.send(messages.CONNECT, target.encode(), protocol.encode())
    received = launch.channel.receive()
    if received is None:
        raise Refused(Case("internal-error", None))
    kind, fields, descriptors = received
    if kind != messages.GRANTED:
        raise Refused(FAILED.get(int(fields[0]), Case("connection-refused")))
    return Connection(descriptors[0], rights.NONBLOCK)


def _begin(request: OutgoingRequest, wire: Wire) -> None:
    """Attach the body that the component writes, or say that there is none."""
    authority, body = request.authority or "", request.body
    length = announced(request.headers.entries) if body is None else body.length

    def head_of(known: int | None, chunked: bool) -> bytes:  # noqa: FBT001 - the shape of `Head`
        return request.head(authority, known, chunked=chunked)

    sink = Sink(wire, head_of, length, chunks=True, silent=False)
    if body is None:
        sink.finish([])
        return
    body.output.attach(sink)
    if body.finished:
        sink.finish(body.trailers)


__all__ = ["FutureResponse", "OutgoingRequest", "RequestOptions", "ask"]
