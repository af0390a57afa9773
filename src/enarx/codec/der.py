# SPDX-License-Identifier: Apache-2.0
"""DER (X.690): a strict reader of one element at a time, and a small writer.

For the vendors' own extensions and containers. Certificates, CRLs and requests are read by
`enarx.codec.x509`.
"""

from __future__ import annotations

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, UTF8_STRING, PRINTABLE_STRING, IA5_STRING = 0x0A, 0x0C, 0x13, 0x16
SEQUENCE, SET = 0x30, 0x31


class Der:
    """Reads the elements that lie side by side in `raw`."""

    __slots__ = ("_cursor", "_what")

    def __init__(self, raw: bytes, what: str) -> None:
        self._cursor = Cursor(raw, what)
        self._what = what

    def peek(self) -> int | None:
        """The tag of the next element, or None at the end."""
        return self._cursor.raw[self._cursor.at] if self._cursor.left() else None

    def element(self, tag: int, field: str) -> bytes:
        """The contents of the next element, which has the tag `tag`."""
        found, contents = self.any(field)
        if found != tag:
            raise Malformed(Reason.WRONG_TYPE, f"{self._what}: {field} has tag {found:#04x}, expected {tag:#04x}")
        return contents

    def any(self, field: str) -> tuple[int, bytes]:
        """Tag and contents of the next element. Low tag numbers, definite minimal lengths only."""
        tag = self._cursor.little(1, field)
        if tag & 0x1F == 0x1F:
            raise Malformed(Reason.UNKNOWN_VALUE, f"{self._what}: {field} has a high tag number")
        size = self._cursor.little(1, field)
        if size >= 0x80:
            octets = size & 0x7F
            if octets not in (1, 2, 3, 4):
                raise Malformed(Reason.NOT_CANONICAL, f"{self._what}: {field} has an indefinite or huge length")
            size = self._cursor.big(octets, field)
            if size < 0x80 or size >> (8 * (octets - 1)) == 0:
                raise Malformed(Reason.NOT_CANONICAL, f"{self._what}: {field} has a length that is not minimal")
        return tag, self._cursor.take(size, field)

    def raw(self, field: str) -> bytes:
        """The next element whole, tag and length included."""
        start = self._cursor.at
        self.any(field)
        return self._cursor.raw[start : self._cursor.at]

    def sequence(self, field: str) -> Der:
        """A reader of the next element, a SEQUENCE."""
        return Der(self.element(SEQUENCE, field), f"{self._what}: {field}")

    def integer(self, field: str) -> int:
        """A non-negative INTEGER."""
        return unsigned(self.element(INTEGER, field), f"{self._what}: {field}")

    def oid(self, field: str) -> str:
        """An OBJECT IDENTIFIER in dotted form."""
        return dotted(self.element(OID, field), f"{self._what}: {field}")

    def done(self) -> None:
        """Nothing is left."""
        self._cursor.done()


def inner(raw: bytes, count: int) -> list[bytes]:
    """The first `count` elements inside the element `raw`, each whole, of a structure that has been parsed before.

    For taking a part out of a certificate as it was received; nothing is checked again.
    """
    at, found = 2 + (raw[1] & 0x7F if raw[1] & 0x80 else 0), []
    for _ in range(count):
        size, start = raw[at + 1], at + 2
        if size & 0x80:
            size, start = int.from_bytes(raw[start : start + (size & 0x7F)], "big"), start + (size & 0x7F)
        found.append(raw[at : start + size])
        at = start + size
    return found


def unsigned(contents: bytes, what: str) -> int:
    """The value of an INTEGER's contents, minimal and not negative."""
    if not contents:
        raise Malformed(Reason.TRUNCATED, what)
    if contents[0] & 0x80:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: negative")
    if len(contents) > 1 and contents[0] == 0 and not contents[1] & 0x80:
        raise Malformed(Reason.NOT_CANONICAL, f"{what}: leading zero")
    return int.from_bytes(contents, "big")


def dotted(contents: bytes, what: str) -> str:
    """An OID's contents in dotted form."""
    arcs: list[int] = []
    arc = 0
    fresh = True
    for octet in contents:
        if fresh and octet == 0x80:
            raise Malformed(Reason.NOT_CANONICAL, f"{what}: object identifier")
        arc = arc << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    if not arcs or not fresh:
        raise Malformed(Reason.TRUNCATED, f"{what}: object identifier")
    first = min(arcs[0] // 40, 2)
    return ".".join(str(n) for n in (first, arcs[0] - 40 * first, *arcs[1:]))


def write(tag: int, *contents: bytes) -> bytes:
    """One element: tag, minimal length, contents."""
    body = b"".join(contents)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    octets = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | octets)) + size.to_bytes(octets, "big") + body


def write_integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def write_oid(text: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in text.split("."))
    body = b""
    for arc in (first * 40 + second, *rest):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(arc & 0x7F | 0x80)
        body += bytes(reversed(octets))
    return write(OID, body)
