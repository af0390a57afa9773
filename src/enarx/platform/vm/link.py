# SPDX-License-Identifier: Apache-2.0
"""The relay's end of the link: a descriptor that carries all streams, read and written in large pieces."""

from __future__ import annotations

import os

_PAGE, _BATCH = 4096, 256 << 10
"""Bytes that a virtio port gives at most in one read; that are read before they are looked at."""


class Link:
    """A non-blocking descriptor that this object owns, and what waits to be written to it."""

    __slots__ = ("_descriptor", "out")

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self.out = bytearray()

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._descriptor

    def read(self) -> bytes | None:
        """What has come, b"" for nothing yet, None at the end."""
        received = more = b""
        try:
            # A virtio port gives a page at a time: what fills pages is followed by more.
            while len(received) < _BATCH and not len(more) % _PAGE:
                more = os.read(self._descriptor, _BATCH)
                if not more:
                    return received or None
                received += more
        except BlockingIOError:
            pass
        except OSError:
            return None
        return received

    def write(self) -> bool:
        """Write what the link takes; whether there is still somebody who reads."""
        while self.out:
            try:
                sent = os.write(self._descriptor, self.out)
            except BlockingIOError:
                break
            except OSError:
                return False
            del self.out[:sent]
        return True

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)
