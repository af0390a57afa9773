# SPDX-License-Identifier: Apache-2.0
"""Many byte streams over one: how connections cross between a Keep and its launcher.

Every frame is a kind (1 byte), a stream (4 bytes) and a length or a count (4 bytes), big-endian.
A side sends no more than the other granted; half-closing is a frame; nothing is believed about the
other side, which may be hostile at either end. No IO: bytes go in, happenings come out.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from enarx.errors import Malformed, Reason

_HEAD = struct.Struct(">BII")
MAX_DATA = 64 << 10
WINDOW = 512 << 10
"""What a side may have sent and not yet been granted anew, a stream."""
MAX_STREAMS = 1024
MAX_LABEL = 512


class Kind(IntEnum):
    """Kinds of frame."""

    OPEN = 1
    """A new stream; the bytes are its label. Grants the other side nothing yet."""
    GRANT = 2
    """The other side may send as many bytes more. The first one says that the stream was accepted."""
    DATA = 3
    END = 4
    """This side sends nothing more."""
    RESET = 5
    """The stream is over at once, in both directions; for a new one: it was refused."""


_SHAPES = {
    int(Kind.OPEN): (Kind.OPEN, MAX_LABEL, True),
    int(Kind.GRANT): (Kind.GRANT, WINDOW, False),
    int(Kind.DATA): (Kind.DATA, MAX_DATA, True),
    int(Kind.END): (Kind.END, 0, False),
    int(Kind.RESET): (Kind.RESET, 0, False),
}
"""Kind of frame, the largest number in its head, and whether so many bytes follow."""


class Happening(NamedTuple):
    """What the other side did. `body` is a label or data, `granted` a grant."""

    kind: Kind
    stream: int
    body: bytes = b""
    granted: int = 0


class _Stream:
    __slots__ = ("ended_here", "ended_there", "received", "sendable")

    def __init__(self) -> None:
        self.sendable = 0
        self.received = 0
        self.ended_here = False
        self.ended_there = False


class Streams:
    """One end. `first` is 0 at the Keep, 1 at the launcher, so that their new streams never collide."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._parity = first
        self._pending = bytearray()
        self._open: dict[int, _Stream] = {}
        self._gone: set[int] = set()

    def __len__(self) -> int:
        return len(self._open)

    def sendable(self, stream: int) -> int:
        """How many bytes the other side takes now."""
        found = self._open.get(stream)
        return 0 if found is None or found.ended_here else found.sendable

    def open(self, label: bytes) -> tuple[int, bytes]:
        """A new stream's number, and the frames that ask for it."""
        if len(self._open) >= MAX_STREAMS:
            raise Malformed(Reason.LIMIT_REACHED, f"streams: {MAX_STREAMS} are open")
        stream, self._next = self._next, (self._next + 2) & 0xFFFFFFFF
        self._open[stream] = _Stream()
        return stream, _HEAD.pack(Kind.OPEN, stream, len(label)) + label + self.grant(stream, WINDOW)

    def grant(self, stream: int, count: int) -> bytes:
        """Let the other side send more: what was received has been passed on."""
        found = self._open.get(stream)
        if found is None or found.ended_there:
            return b""
        found.received += count
        return _HEAD.pack(Kind.GRANT, stream, count)

    def data(self, stream: int, body: bytes) -> bytes:
        """A frame for bytes that `sendable` allows."""
        return self.data_head(stream, len(body)) + body

    def data_head(self, stream: int, size: int) -> bytes:
        """What goes before so many bytes that `sendable` allows: a frame without copying what it carries."""
        self._open[stream].sendable -= size
        return _HEAD.pack(Kind.DATA, stream, size)

    def end(self, stream: int) -> bytes:
        """Say that nothing more comes from here."""
        found = self._open.get(stream)
        if found is None or found.ended_here:
            return b""
        found.ended_here = True
        self._close_if_over(stream, found)
        return _HEAD.pack(Kind.END, stream, 0)

    def reset(self, stream: int) -> bytes:
        """End or refuse a stream at once."""
        if self._open.pop(stream, None) is None:
            return b""
        self._gone.add(stream)
        return _HEAD.pack(Kind.RESET, stream, 0)

    def feed(self, received: bytes) -> list[Happening]:
        """What happened with these bytes. `Malformed` when the other side broke a rule: end the link."""
        pending = self._pending
        pending += received
        at, happenings = 0, []
        with memoryview(pending) as view:
            while len(view) - at >= _HEAD.size:
                number, stream, count = _HEAD.unpack_from(view, at)
                kind, size = _shape(number, count)
                start = at + _HEAD.size
                if len(view) - start < size:
                    break
                at = start + size
                happening = Happening(kind, stream, bytes(view[start:at]), 0 if size else count)
                if self._take(happening):
                    happenings.append(happening)
        del pending[:at]
        return happenings

    def _take(self, what: Happening) -> bool:
        """Note it; False for what crossed with our own reset."""
        if what.kind is Kind.OPEN:
            self._take_open(what)
            return True
        found = self._open.get(what.stream)
        if found is None:
            self._require_late(what)
            return False
        match what.kind:
            case Kind.GRANT:
                found.sendable += what.granted
                if found.sendable > 0xFFFFFFFF:
                    raise Malformed(Reason.TOO_LARGE, "streams: grants")
            case Kind.DATA:
                found.received -= len(what.body)
                if found.received < 0 or found.ended_there:
                    raise Malformed(Reason.TOO_LARGE, "streams: data beyond what was granted")
            case Kind.END:
                found.ended_there = True
                self._close_if_over(what.stream, found)
            case _:
                del self._open[what.stream]
        return True

    def _require_late(self, what: Happening) -> None:
        """A frame for a stream that is not open crossed with its end, or breaks a rule."""
        if what.stream in self._gone:
            if what.kind in {Kind.RESET, Kind.END}:
                self._gone.discard(what.stream)
            return
        # Both ends may already have ended a stream when a last grant arrives.
        if what.kind not in {Kind.GRANT, Kind.RESET}:
            raise Malformed(Reason.UNKNOWN_VALUE, f"streams: {what.kind.name} for none that is open")

    def _take_open(self, what: Happening) -> None:
        if what.stream % 2 == self._parity or what.stream in self._open:
            raise Malformed(Reason.DUPLICATE, "streams: number of a new stream")
        if len(self._open) >= 2 * MAX_STREAMS:
            raise Malformed(Reason.LIMIT_REACHED, "streams: too many are open")
        self._gone.discard(what.stream)
        self._open[what.stream] = _Stream()

    def _close_if_over(self, stream: int, found: _Stream) -> None:
        if found.ended_here and found.ended_there:
            del self._open[stream]


def _shape(number: int, count: int) -> tuple[Kind, int]:
    """The kind of a frame, and how many bytes follow its head."""
    if (shape := _SHAPES.get(number)) is None:
        raise Malformed(Reason.UNKNOWN_KIND, f"streams: frame of kind {number}")
    kind, limit, carries = shape
    if count > limit:
        raise Malformed(Reason.TOO_LARGE, f"streams: {kind.name} of {count}, at most {limit}")
    return kind, count if carries else 0
