# SPDX-License-Identifier: Apache-2.0
"""A reader that neither overruns nor stops early."""

from __future__ import annotations

from enarx.errors import Malformed, Reason


class Cursor:
    """Reads `raw` front to back. Every refusal is `Malformed` and names the field.

    One line of a parser is one row of the specification's table; `done()` ends it, so that
    nothing is left over by accident.
    """

    __slots__ = ("_end", "_what", "at", "raw")

    def __init__(self, raw: bytes, what: str) -> None:
        self.raw = raw
        self.at = 0
        self._end = len(raw)
        self._what = what

    def take(self, size: int, field: str) -> bytes:
        """The next `size` bytes."""
        stop = self.at + size
        if size < 0 or stop > self._end:
            raise Malformed(
                Reason.TRUNCATED,
                f"{self._what}: {field} at {self.at:#x} needs {size} bytes, {self._end - self.at} are left",
            )
        taken = self.raw[self.at : stop]
        self.at = stop
        return taken

    def little(self, size: int, field: str) -> int:
        """An unsigned little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size, field), "little")

    def big(self, size: int, field: str) -> int:
        """An unsigned big-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size, field), "big")

    def zeros(self, size: int, field: str) -> None:
        """`size` bytes that the specification says are zero."""
        at = self.at
        if any(self.take(size, field)):
            raise Malformed(Reason.RESERVED_NOT_ZERO, f"{self._what}: {field} at {at:#x}")

    def left(self) -> int:
        """How many bytes have not been read."""
        return self._end - self.at

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.left(), "rest")

    def done(self) -> None:
        """The end has been reached, exactly."""
        if self.at != self._end:
            raise Malformed(
                Reason.TRAILING_BYTES, f"{self._what}: {self._end - self.at} bytes after the end at {self.at:#x}"
            )
