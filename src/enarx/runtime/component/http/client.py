# SPDX-License-Identifier: Apache-2.0
"""A client's connection: requests one after the other, each taken when it is there, answered, and forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable

from enarx.runtime.component.http.body import Body
from enarx.runtime.component.http.exchange import Exchange
from enarx.runtime.component.http.incoming import Source
from enarx.runtime.component.http.syntax import END, MOST_HEAD, Framing, Refusal, Request, request
from enarx.runtime.component.http.wire import Wire

Handler = Callable[[Exchange, Source], None]
"""Has the component answer; never raises."""

HEAD_SECONDS = 20.0
"""From the first byte of a request until its head is whole."""
IDLE_SECONDS = 75.0
BODY_SECONDS = 20.0
"""For a body that is small enough to be awaited before the component is asked."""
LINGER_SECONDS = 2.0
"""How long a client that still sends may take to see its answer before the connection is reset."""
AWAITED = 1 << 15
"""Longer bodies are handed to the component while they come."""
SHUT_WRITE = 2
NOTHING = Request("GET", "/", "", 1, [], Framing(0), False, False)


class Client:
    """One connection.

    over  nothing more is to be done with it
    until when it is given up unless something happens
    """

    def __init__(self, wire: Wire, handler: Handler) -> None:
        self.wire = wire
        self.over = False
        self.until = time.monotonic() + HEAD_SECONDS
        self._handler = handler
        self._head: Request | None = None
        self._ending = False
        self._lingering = False
        self._scanned = 0

    def ready(self) -> None:
        """The kernel says that something can be done."""
        wire = self.wire
        if self._lingering:
            wire.fill()
            wire.buffer.clear()
            self.over = wire.over
            return
        if not wire.flush():
            self.over = wire.broken
            return
        wire.fill()
        while not self._ending and not wire.waiting and not self.over and self._step():
            pass
        self._settle()

    def wants_out(self) -> bool:
        """Whether to wait for room rather than for bytes."""
        return bool(self.wire.waiting)

    def expire(self) -> None:
        """It took too long."""
        if (self._head is not None or self.wire.buffer) and not self.wire.waiting and not self._lingering:
            Exchange(self.wire, self._head or NOTHING, persist=False).refuse(408, "the request took too long")
        self.over = True

    def _settle(self) -> None:
        wire = self.wire
        if wire.broken or (wire.over and not wire.waiting):
            self.over = True
        elif self._ending and not wire.waiting and not self.over:
            wire.descriptor.shutdown(SHUT_WRITE)
            self._lingering = True
            self.until = time.monotonic() + LINGER_SECONDS

    def _step(self) -> bool:
        """Go one step with what is in the buffer; whether there may be another."""
        try:
            if self._head is None:
                self._head = self._take_head()
                if self._head is None:
                    return False
                self.until = time.monotonic() + BODY_SECONDS
            return self._answer(self._head)
        except Refusal as refusal:
            Exchange(self.wire, NOTHING, persist=False).refuse(refusal.status, refusal.detail)
            self._ending = True
            return False

    def _take_head(self) -> Request | None:
        buffer = self.wire.buffer
        if not self._scanned and buffer.startswith(b"\r\n"):
            # RFC 9112 section 2.2: an empty line before a request is ignored.
            del buffer[:2]
        end = buffer.find(END, max(0, self._scanned - 3))
        if end < 0:
            if len(buffer) >= MOST_HEAD:
                raise Refusal(431, f"the head is longer than {MOST_HEAD} bytes")
            self.until = self.until if self._scanned else time.monotonic() + (HEAD_SECONDS if buffer else IDLE_SECONDS)
            self._scanned = len(buffer)
            return None
        self._scanned = 0
        raw = bytes(buffer[: end + len(END)])
        del buffer[: len(raw)]
        return request(raw)

    def _answer(self, head: Request) -> bool:
        wire = self.wire
        body = Body(wire, head.framing)
        if not (body.ended or body.buffered or head.waits) and (head.framing.length or 0) <= AWAITED:
            if wire.over:
                raise Refusal(400, "the body ended early")
            if len(wire.buffer) < AWAITED:
                return wire.fill()
        self._head = None
        source = Source(wire, body, waits=head.waits)
        exchange = Exchange(wire, head, head.persist)
        self._handler(exchange, source)
        self._ending = not exchange.persist or not source.skipped()
        self.until = time.monotonic() + IDLE_SECONDS
        return not self._ending and (bool(wire.buffer) or wire.fill())
