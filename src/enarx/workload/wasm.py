# SPDX-License-Identifier: Apache-2.0
"""The primitives of the wasm binary format. Source: WebAssembly core specification 2.0, section 5.2."""

from __future__ import annotations

from enarx.errors import Malformed, Reason

WHAT = "module"
HEADER = 8
MEMORY = 5
"""The section of a core module that defines linear memories."""


class Reader:
    """The grammar's primitives over a part of the binary."""

    def __init__(self, raw: bytes, at: int, end: int) -> None:
        self._raw = raw
        self.at = at
        self.end = end

    def byte(self) -> int:
        """One byte."""
        if self.at >= self.end:
            raise Malformed(Reason.TRUNCATED, WHAT)
        self.at += 1
        return self._raw[self.at - 1]

    def number(self, bits: int = 32) -> int:
        """Unsigned LEB128 of at most `bits` bits (section 5.2.2)."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift >= bits:
                raise Malformed(Reason.TOO_LARGE, f"{WHAT}: a number of more than {bits} bits")
        if value >> bits:
            raise Malformed(Reason.TOO_LARGE, f"{WHAT}: a number of more than {bits} bits")
        return value

    def count(self) -> int:
        """A vector's length, which cannot exceed the bytes that are left."""
        count = self.number()
        if count > self.end - self.at:
            raise Malformed(Reason.TRUNCATED, WHAT)
        return count

    def inside(self, size: int) -> Reader:
        """A reader for the next `size` bytes, which this one skips."""
        if size > self.end - self.at:
            raise Malformed(Reason.TRUNCATED, f"{WHAT}: a section of {size} bytes")
        self.at += size
        return Reader(self._raw, self.at - size, self.at)

    def name(self) -> str:
        """A vector of bytes that is UTF-8 (section 5.2.4)."""
        size = self.count()
        self.at += size
        try:
            return self._raw[self.at - size : self.at].decode()
        except UnicodeDecodeError:
            raise Malformed(Reason.SYNTAX, f"{WHAT}: a name is not UTF-8") from None

    def done(self) -> None:
        """`Malformed` unless everything was read."""
        if self.at != self.end:
            raise Malformed(Reason.TRAILING_BYTES, f"{WHAT}: {self.end - self.at} bytes in a section")


def memories(module: Reader) -> int:
    """How many linear memories a core module inside a component defines."""
    module.at += min(HEADER, module.end - module.at)
    found = 0
    while module.at < module.end:
        section = module.byte()
        inside = module.inside(module.number())
        found += inside.count() if section == MEMORY else 0
    return found
