# SPDX-License-Identifier: Apache-2.0
"""What comes in: requests to the component, responses to its own requests, and their bodies."""
# ruff: noqa: D102 - methods are documented where they are first named, in `streams` and `polling`

from __future__ import annotations

import select

from enarx.runtime.component.http.body import Body, Truncated
from enarx.runtime.component.http.failure import HttpFailed
from enarx.runtime.component.http.fields import Fields
from enarx.runtime.component.http.syntax import Refusal, Request, Response
from enarx.runtime.component.http.wire import Wire
from enarx.runtime.component.interface import Refused
from enarx.runtime.component.polling import Pollable
from enarx.runtime.component.streams import MOST_BYTES, Closed, InputStream
from enarx.runtime.component.types import Case, Err, Ok

MOST_SKIPPED = 1 << 18
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Source:
    """A body that arrives.

    waits   the client sends it only when told to
    failed  why it will never be whole
    """

    def __init__(self, wire: Wire, body: Body, *, waits: bool = False) -> None:
        self.wire = wire
        self.body = body
        self.failed: Case | None = None
        self._waits = waits

    def ready(self) -> bool:
        """Whether a read would give something; takes what has arrived."""
        try:
            if self.failed or self.body.advance():
                return True
            if self._waits:
                self._waits = False
                self.wire.send(CONTINUE)
            return self.wire.fill() and self.body.advance()
        except Refusal:
            self.failed = Case("HTTP-protocol-error")
            return True

    def read(self, most: int) -> bytes:
        """Up to so many bytes that are there, perhaps none; Closed at the end."""
        if self.failed:
            raise HttpFailed(self.failed)
        if self.body.ended:
            raise Closed
        piece = b""
        try:
            if self.ready() and not self.failed:
                piece = self.body.take(most)
        except Truncated:
            self.failed = Case("connection-terminated")
        except Refusal:
            self.failed = Case("HTTP-protocol-error")
        if self.failed:
            raise HttpFailed(self.failed)
        if not piece and self.body.ended:
            raise Closed
        return piece

    def skipped(self) -> bool:
        """Take what has arrived of a body that nobody reads; whether that was all of it."""
        taken = 0
        try:
            while not self.body.ended and taken < MOST_SKIPPED:
                piece = self.read(MOST_BYTES) if not self._waits else b""
                if not piece:
                    break
                taken += len(piece)
        except (Closed, HttpFailed):
            pass
        return self.body.ended

    def drop(self) -> None:
        """Nobody reads it any more."""


class Readable(Pollable):
    """Ready when more of a body has come, or its end."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def now(self) -> bool:
        return self._source.ready()

    def interest(self) -> tuple[int, int] | None:
        return self._source.wire.fd, select.POLLIN

    def woken(self) -> bool:
        return self._source.ready()


class BodyInput(InputStream):
    """`input-stream` of an incoming body."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, most: int) -> bytes:
        try:
            return self._source.read(min(most, MOST_BYTES))
        except HttpFailed as failed:
            raise Refused(Case("last-operation-failed", failed)) from None

    def pollable(self) -> Pollable:
        return Readable(self._source)


class FutureTrailers:
    """`future-trailers`: what is left of the body is skipped, as far as it has come."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._taken = False

    def pollable(self) -> Pollable:
        return Trailing(self.source)

    def get(self) -> Ok | Err | None:
        """None before they are there; once, what they are; an error from then on."""
        if self._taken:
            return Err()
        ended = self.source.skipped()
        if self.source.failed:
            self._taken = True
            return Ok(Err(self.source.failed))
        if not ended:
            return None
        self._taken = True
        trailers = self.source.body.trailers
        return Ok(Ok(Fields.received(trailers) if trailers else None))

    def drop(self) -> None:
        self.source.drop()


class Trailing(Readable):
    """Ready when the body has ended."""

    def now(self) -> bool:
        return self._source.skipped() or self._source.failed is not None

    def woken(self) -> bool:
        self._source.ready()
        return self.now()


class IncomingBody:
    """`incoming-body`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._given = False

    def stream(self) -> BodyInput:
        """Its one stream."""
        if self._given:
            raise Refused
        self._given = True
        return BodyInput(self.source)

    def finish(self) -> FutureTrailers:
        """What comes behind it."""
        return FutureTrailers(self.source)

    def drop(self) -> None:
        self.source.drop()


class _Message:
    """What requests and responses share: headers, and a body that is taken once."""

    def __init__(self, headers: Fields, source: Source) -> None:
        self.headers = headers
        self.source = source
        self._consumed = False

    def consume(self) -> IncomingBody:
        """The body; the second time, an error."""
        if self._consumed:
            raise Refused
        self._consumed = True
        return IncomingBody(self.source)

    def drop(self) -> None:
        if not self._consumed:
            self.source.drop()


class IncomingRequest(_Message):
    """`incoming-request`."""

    def __init__(self, head: Request, source: Source) -> None:
        super().__init__(Fields.received(head.fields), source)
        self.head = head


class IncomingResponse(_Message):
    """`incoming-response`."""

    def __init__(self, head: Response, source: Source) -> None:
        super().__init__(Fields.received(head.fields), source)
        self.status = head.status
