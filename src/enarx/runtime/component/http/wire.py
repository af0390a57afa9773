# SPDX-License-Identifier: Apache-2.0
"""One plaintext connection to a peer: bytes in and bytes out, never waiting."""

from __future__ import annotations

from enarx.runtime.wasi.descriptor import Descriptor

PIECE = 1 << 16
HIGH_WATER = 1 << 16
"""Stop taking from one side while this much waits for the other."""


class Wire:
    """A connection that does not block.

    buffer  what has arrived and was not taken
    over    the peer sends no more
    broken  the peer takes no more
    """

    def __init__(self, descriptor: Descriptor, fd: int, *, secure: bool) -> None:
        self.descriptor = descriptor
        self.fd = fd
        self.secure = secure
        self.buffer = bytearray()
        self.over = False
        self.broken = False
        self._read = descriptor.reader()
        self._write = descriptor.writer()
        self._room = memoryview(bytearray(PIECE))
        self.waiting = bytearray()

    def fill(self) -> bool:
        """Take what has arrived, as long as little waits; whether anything did, the end included."""
        if self.over or len(self.buffer) >= HIGH_WATER:
            return False
        try:
            count = self._read(self._room)
        except BlockingIOError:
            return False
        except OSError:
            count = 0
            self.broken = True
        if count:
            self.buffer += self._room[:count]
        else:
            self.over = True
        return True

    def send(self, raw: bytes) -> None:
        """Send, or keep what cannot be sent now; what a broken connection is sent is lost."""
        if self.waiting:
            self.waiting += raw
            self.flush()
            return
        done = self._some(raw)
        if done < len(raw):
            self.waiting += raw[done:]

    def flush(self) -> bool:
        """Send what waits; whether nothing is left."""
        if self.waiting:
            done = self._some(self.waiting)
            del self.waiting[:done]
        return not self.waiting

    def _some(self, raw: bytes | bytearray) -> int:
        if self.broken:
            return len(raw)
        try:
            return self._write(memoryview(raw))
        except BlockingIOError:
            return 0
        except OSError:
            self.broken = True
            return len(raw)

    def close(self) -> None:
        """Hang up."""
        self.descriptor.close()
