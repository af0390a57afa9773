# SPDX-License-Identifier: Apache-2.0
"""One request and its response: what the component says, what the client gets."""

from __future__ import annotations

import time
from dataclasses import dataclass

from enarx.runtime.component.http.failure import TITLES, problem
from enarx.runtime.component.http.fields import HOP_BY_HOP, Fields
from enarx.runtime.component.http.sink import BodyOutput, Sink
from enarx.runtime.component.http.syntax import Entries, Request, bodiless, head
from enarx.runtime.component.http.wire import Wire
from enarx.runtime.component.interface import Refused
from enarx.runtime.component.types import Case, Err, Ok

PROBLEM = "application/problem+json"
SWITCHING = 101


class OutgoingBody:
    """`outgoing-body`."""

    def __init__(self, length: int | None) -> None:
        self.length = length
        self.output = BodyOutput()
        self.trailers: Entries = []
        self.finished = False
        self._given = False

    def write(self) -> BodyOutput:
        """Its one stream."""
        if self._given:
            raise Refused
        self._given = True
        return self.output

    def finish(self, trailers: Fields | None) -> None:
        """All was written; an error-code when that is not as much as was announced."""
        sink, early = self.output.sink, len(self.output.early)
        written = early if sink is None else sink.written
        if self.length is not None and written != self.length and not (sink and sink.complete()):
            raise Refused(Case("HTTP-request-body-size", written))
        self.finished = True
        self.trailers = trailers.entries if trailers else []
        if sink is not None:
            sink.finish(self.trailers)

    def drop(self) -> None:
        """Dropped before it was finished, it stays incomplete."""


class OutgoingResponse:
    """`outgoing-response`."""

    def __init__(self, headers: Fields) -> None:
        self.headers = headers
        self.status = 200
        self.body: OutgoingBody | None = None

    def take_body(self) -> OutgoingBody:
        """The body; the second time, an error."""
        if self.body is not None:
            raise Refused
        self.body = OutgoingBody(announced(self.headers.entries))
        return self.body

    def drop(self) -> None:
        """Nothing is held."""


def announced(entries: Entries) -> int | None:
    """The length that a message's own fields say; an error-code for one that is none."""
    found = [value for name, value in entries if name == "content-length"]
    if not found:
        return None
    if len(found) > 1 or not found[0].isdigit():
        raise Refused
    return int(found[0])


class ResponseOutparam:
    """`response-outparam`."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def drop(self) -> None:
        """Not set: the exchange finds that out when the handler returns."""


@dataclass
class Exchange:
    """A request's answer on its way to the client.

    body     what the component writes, once it has answered
    failed   the error-code that it answered with instead
    """

    wire: Wire
    request: Request
    persist: bool
    sink: Sink | None = None
    body: OutgoingBody | None = None
    failed: Case | None = None
    answered: bool = False

    def set(self, response: Ok | Err) -> None:
        """The component's answer; its head goes out with the first of the body."""
        self.answered = True
        if isinstance(response, Err):
            self.failed = response.value
            return
        told: OutgoingResponse = response.value
        body = told.body or OutgoingBody(announced(told.headers.entries))
        self.body = body
        entries = [one for one in told.headers.entries if one[0] not in HOP_BY_HOP and one[0] != "content-length"]
        silent = bodiless(told.status, self.request.method)
        self.sink = Sink(
            self.wire,
            lambda length, chunked: self._head(told.status, entries, length, chunked=chunked),
            body.length,
            chunks=self.request.minor == 1,
            silent=silent,
        )
        body.output.attach(self.sink)
        if told.body is None or body.finished:
            body.finished = True
            self.sink.finish(body.trailers)

    def inform(self, status: int, headers: Fields) -> None:
        """An interim response; nothing to clients that do not know of any."""
        if self.answered or not 100 < status < 200 or status == SWITCHING:
            raise Refused(Case("HTTP-protocol-error"))
        if self.request.minor == 1:
            self.wire.send(head(f"HTTP/1.1 {status} ", headers.entries))

    def _head(self, status: int, entries: Entries, length: int | None, *, chunked: bool) -> bytes:
        silent = bodiless(status, self.request.method)
        if length is None and not chunked and not silent:
            self.persist = False
        framing: Entries = [("transfer-encoding", b"chunked")] if chunked else []
        if length is not None and status not in (204, 304):
            framing = [("content-length", b"%d" % length)]
        if not any(name == "date" for name, _ in entries):
            framing.append(("date", date()))
        if not self.persist:
            framing.append(("connection", b"close"))
        return head(f"HTTP/1.1 {status} {TITLES.get(status, '')}", [*entries, *framing])

    def refuse(self, status: int, detail: str, reason: str = "") -> None:
        """Answer with a problem document, or cut short what has begun."""
        if self.sink is not None and self.sink.begun:
            self.persist = False
            return
        document = problem(status, detail, reason)
        entries: Entries = [("content-type", PROBLEM.encode())]
        raw = self._head(status, entries, len(document), chunked=False)
        self.wire.send(raw if self.request.method == "HEAD" else raw + document)

    def finish(self) -> None:
        """The handler has returned: whether the client got a whole answer, or gets to know why not."""
        if self.body is not None and self.body.finished:
            return
        if self.failed is not None:
            self.refuse(502 if self.failed.name in UPSTREAM else 500, f"the component failed: {self.failed.name}")
        elif self.body is None:
            self.refuse(500, "the component returned without an answer")
        else:
            # Its body was never finished: what the client has got must not look whole.
            self.refuse(500, "the component did not finish its answer")


UPSTREAM = frozenset(
    ("DNS-timeout", "DNS-error", "destination-not-found", "destination-unavailable", "connection-refused")
)
_dated = (0, b"")


def date() -> bytes:
    """Now, as HTTP writes it (RFC 9110 section 5.6.7)."""
    global _dated  # noqa: PLW0603 - made once a second
    now = int(time.time())  # noqa: TID251 - every answer says when it was made; nothing is judged by it
    if _dated[0] != now:
        _dated = (now, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now)).encode())
    return _dated[1]
