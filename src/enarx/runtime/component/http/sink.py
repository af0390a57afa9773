# SPDX-License-Identifier: Apache-2.0
"""The body of a message as it leaves: framed, held back while the peer is slow, never more than was announced."""
# ruff: noqa: D102 - methods are documented where they are first named, in `streams`

from __future__ import annotations

import select
from collections.abc import Callable

from enarx.runtime.component.http.fields import HOP_BY_HOP
from enarx.runtime.component.http.syntax import Entries
from enarx.runtime.component.http.wire import HIGH_WATER, Wire
from enarx.runtime.component.polling import Pollable
from enarx.runtime.component.streams import Closed, OutputStream

Head = Callable[[int | None, bool], bytes]
"""The head of the message: given its length if that is known, and whether it is chunked."""
MOST_GATHERED = 1 << 14
"""A body that is no longer when it is finished is sent in one piece with its head."""


class Sink:
    """One message on its way out.

    head      makes the head, once it is known how the body is framed
    length    what the message's own Content-Length says
    chunks    whether the peer understands chunks
    silent    the message has no body whatever is written (HEAD, 204, 304)
    """

    def __init__(self, wire: Wire, head: Head, length: int | None, *, chunks: bool, silent: bool) -> None:
        self.wire = wire
        self._head = head
        self._length = length
        self._chunks = chunks
        self._silent = silent
        self._gathered = bytearray()
        self._chunked = False
        self.begun = False
        self.finished = False
        self.written = 0

    def room(self) -> int:
        """How much may be written now."""
        if self.wire.broken or self.finished:
            raise Closed
        return max(0, HIGH_WATER - len(self._gathered) - len(self.wire.waiting))

    def write(self, raw: bytes) -> None:
        """Take bytes; Closed when more come than were announced."""
        if self.wire.broken or (self._length is not None and self.written + len(raw) > self._length):
            raise Closed
        self.written += len(raw)
        if not self._silent:
            self._gathered += raw
            if len(self._gathered) > MOST_GATHERED:
                self.push()

    def push(self) -> None:
        """Send what was gathered, and before it the head."""
        parts = []
        if not self.begun:
            self.begun = True
            self._chunked = self._length is None and self._chunks and not self._silent
            parts.append(self._head(self._length, self._chunked))
        if self._gathered:
            parts += self._framed()
        if parts:
            self._gathered = bytearray()
            self.wire.send(b"".join(parts))

    def _framed(self) -> list[bytes]:
        piece = bytes(self._gathered)
        return [b"%x\r\n" % len(piece), piece, b"\r\n"] if self._chunked else [piece]

    def complete(self) -> bool:
        """Whether as much was written as was announced."""
        return self._silent or self._length is None or self.written == self._length

    def finish(self, trailers: Entries) -> None:
        """Nothing more comes. A head that was not sent yet says the length."""
        self.finished = True
        if not self.begun and self._length is None and not (trailers and self._chunks) and not self._silent:
            self._length = self.written
        self.push()
        if self._chunked:
            lines = (b"%s: %s\r\n" % (n.encode(), v) for n, v in trailers if n not in HOP_BY_HOP)
            self.wire.send(b"0\r\n" + b"".join(lines) + b"\r\n")


class Writable(Pollable):
    """Ready when the peer has taken so much that there is room again, or is gone."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def now(self) -> bool:
        wire = self._sink.wire
        return wire.flush() or wire.broken

    def interest(self) -> tuple[int, int] | None:
        return self._sink.wire.fd, select.POLLOUT

    def woken(self) -> bool:
        return self.now()


class BodyOutput(OutputStream):
    """`output-stream` of an outgoing body; gathers until there is somewhere to send it."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.early = bytearray()

    def attach(self, sink: Sink) -> None:
        """From now on, write there."""
        self.sink = sink
        if self.early:
            sink.write(bytes(self.early))
            self.early.clear()

    def room(self) -> int:
        return HIGH_WATER - len(self.early) if self.sink is None else self.sink.room()

    def write(self, raw: bytes) -> None:
        if self.sink is None:
            self.early += raw
        else:
            self.sink.write(raw)

    def flushed(self) -> bool:
        if self.sink is None:
            return True
        self.sink.push()
        return self.sink.wire.flush()

    def pollable(self) -> Pollable:
        return Pollable() if self.sink is None else Writable(self.sink)
