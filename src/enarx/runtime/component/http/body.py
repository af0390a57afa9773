# SPDX-License-Identifier: Apache-2.0
"""The body of a message as it arrives: taken out of a connection's buffer, never read ahead by more than that holds."""

from __future__ import annotations

import re

from enarx.runtime.component.http.syntax import END, Entries, Framing, Refusal, fields_of
from enarx.runtime.component.http.wire import Wire

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
MOST_SIZE_LINE = 4096
MOST_TRAILERS = 1 << 15


class Truncated(Exception):
    """The connection ended before the body did."""


class Body:
    """What is left of one message on its connection.

    ended     whether all of it has been taken, its trailers included
    trailers  the fields behind a chunked body
    """

    def __init__(self, wire: Wire, framing: Framing) -> None:
        self._wire = wire
        self._chunked = framing.chunked
        self._open = framing.length is None and not framing.chunked
        self._left = framing.length or 0
        self._inside = False
        self.ended = not self._chunked and not self._open and self._left == 0
        self.trailers: Entries = []

    @property
    def buffered(self) -> bool:
        """Whether all of it that is to be waited for is in the buffer; exact for lengths alone."""
        have = self._wire.buffer
        if self._chunked:
            return have.endswith((b"0\r\n\r\n", b"\n\r\n"))
        return not self._open and len(have) >= self._left

    def advance(self) -> bool:
        """Whether `take` has something to say: bytes, or the end. Raises Refusal."""
        if self._chunked and not self._left and not self.ended:
            self._next_chunk()
        return self.ended or self._wire.over or bool(self._wire.buffer and (self._left or self._open))

    def take(self, most: int) -> bytes:
        """Up to so many bytes that are in the buffer; none when there are none. Refusal, Truncated."""
        wire = self._wire
        self.advance()
        most = min(most, len(wire.buffer)) if self._open else min(most, self._left, len(wire.buffer))
        piece = bytes(wire.buffer[:most])
        del wire.buffer[:most]
        self._left -= 0 if self._open else most
        if not piece and not self.ended and wire.over:
            if not self._open:
                raise Truncated
            self.ended = True
        if not self._chunked and not self._open and self._left == 0:
            self.ended = True
        return piece

    def _next_chunk(self) -> None:
        """Read the line before a chunk, if it is there; of the last chunk, the trailers too."""
        buffer = self._wire.buffer
        start = 2 if self._inside else 0
        if self._inside and len(buffer) >= start and not buffer.startswith(b"\r\n"):
            raise Refusal(400, "a chunk is longer than its size")
        end = buffer.find(b"\r\n", start)
        if end < 0:
            if len(buffer) > MOST_SIZE_LINE:
                raise Refusal(400, "the line before a chunk is too long")
            return
        line = _SIZE.fullmatch(bytes(buffer[start : end + 2]))
        if line is None:
            raise Refusal(400, "the size of a chunk is malformed")
        size = int(line[1], 16)
        if size:
            del buffer[: end + 2]
            self._inside, self._left = True, size
        else:
            self._trailers(end)

    def _trailers(self, end: int) -> None:
        buffer = self._wire.buffer
        stop = buffer.find(END, end)
        if stop < 0:
            if len(buffer) - end > MOST_TRAILERS:
                raise Refusal(431, "the trailers are too long")
            return
        self.trailers = fields_of(bytes(buffer[end + 2 : stop + 4]))
        del buffer[: stop + 4]
        self.ended = True
