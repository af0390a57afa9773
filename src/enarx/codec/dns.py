# SPDX-License-Identifier: Apache-2.0
"""DNS messages: one question out, its addresses in (RFC 1035 section 4; EDNS RFC 6891; padding RFC 7830, RFC 8467)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import IntEnum

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Misused, Reason

MAX_MESSAGE = 0xFFFF
MAX_NAME, MAX_LABEL = 255, 63
MAX_ALIASES = 8
"""CNAMEs that are followed from a question to its addresses."""
NXDOMAIN = 3
_IN = 1
_RESPONSE, _TRUNCATED, _RECURSE, _OPCODE, _CODE = 0x8000, 0x0200, 0x0100, 0x7800, 0x000F
_OPT, _PADDING, _BLOCK = 41, 12, 128
_POINTER = 0xC0


class Kind(IntEnum):
    """Types of record that are asked for or followed."""

    A = 1
    CNAME = 5
    AAAA = 28


class Answer(msgspec.Struct, frozen=True):
    """What a resolver said. `code` is the RCODE, 0 for success; `seconds` how long the answer may be kept."""

    code: int
    addresses: tuple[str, ...] = ()
    seconds: int = 0


class _Record(msgspec.Struct, frozen=True):
    owner: bytes
    kind: int
    seconds: int
    value: bytes


def query(name: str, kind: Kind, number: int) -> bytes:
    """A question with recursion desired, padded to a multiple of 128 bytes so that its length tells nothing."""
    head = number.to_bytes(2, "big") + _RECURSE.to_bytes(2, "big") + bytes((0, 1, 0, 0, 0, 0, 0, 1))
    question = _wire(name) + kind.to_bytes(2, "big") + _IN.to_bytes(2, "big")
    fixed = len(head) + len(question) + 11 + 4
    padding = bytes(-fixed % _BLOCK)
    option = _PADDING.to_bytes(2, "big") + len(padding).to_bytes(2, "big") + padding
    edns = b"\0" + _OPT.to_bytes(2, "big") + (4096).to_bytes(2, "big") + bytes(4) + len(option).to_bytes(2, "big")
    return head + question + edns + option


def answer(raw: bytes, name: str, kind: Kind, number: int) -> Answer:
    """The answer to `query(name, kind, number)`. `Malformed` for bytes that are not one.

    Records of other names than the question's, and than those it is an alias of, are ignored:
    a resolver adds what it likes.
    """
    cursor = Cursor(raw, "DNS answer")
    if cursor.big(2, "ID") != number:
        raise Malformed(Reason.INCONSISTENT, "DNS answer: ID of another question")
    flags = cursor.big(2, "flags")
    if not flags & _RESPONSE or flags & _OPCODE:
        raise Malformed(Reason.UNKNOWN_KIND, f"DNS answer: flags {flags:#06x}")
    if flags & _TRUNCATED:
        raise Malformed(Reason.TRUNCATED, "DNS answer: TC over a stream")
    questions, answers, authorities, more = (cursor.big(2, "count") for _ in range(4))
    if questions != 1:
        raise Malformed(Reason.INCONSISTENT, f"DNS answer: {questions} questions")
    asked = (_name(cursor), cursor.big(2, "QTYPE"), cursor.big(2, "QCLASS"))
    owner = _wire(name).lower()
    if asked != (owner, kind, _IN):
        raise Malformed(Reason.INCONSISTENT, "DNS answer: another question")
    records = [_record(cursor) for _ in range(answers)]
    for _ in range(authorities + more):
        _record(cursor)
    cursor.done()
    return _followed([one for one in records if one is not None], owner, kind, flags & _CODE)


def _followed(records: list[_Record], owner: bytes, kind: Kind, code: int) -> Answer:
    aliases: Mapping[bytes, _Record] = {one.owner: one for one in records if one.kind == Kind.CNAME}
    seconds: list[int] = []
    for _ in range(MAX_ALIASES + 1):
        found = [one for one in records if one.owner == owner and one.kind == kind]
        if found:
            addresses = tuple(str(ipaddress.ip_address(one.value)) for one in found)
            return Answer(code, addresses, min([*seconds, *(one.seconds for one in found)]))
        if (alias := aliases.get(owner)) is None:
            return Answer(code)
        seconds.append(alias.seconds)
        owner = alias.value
    raise Malformed(Reason.TOO_DEEP, "DNS answer: aliases")


def _record(cursor: Cursor) -> _Record | None:
    """A record of a kind that matters here, or None; every length is read either way."""
    owner = _name(cursor)
    kind, family = cursor.big(2, "TYPE"), cursor.big(2, "CLASS")
    seconds, size = cursor.big(4, "TTL"), cursor.big(2, "RDLENGTH")
    start = cursor.at
    if family != _IN or kind not in set(Kind):
        cursor.take(size, "RDATA")
        return None
    value = _name(cursor) if kind == Kind.CNAME else cursor.take(size, "RDATA")
    if cursor.at - start != size or (kind == Kind.A and size != 4) or (kind == Kind.AAAA and size != 16):
        raise Malformed(Reason.WRONG_LENGTH, f"DNS answer: RDATA of {size} bytes")
    # RFC 2181 section 8: a TTL with the highest bit set is zero.
    return _Record(owner, kind, seconds if seconds < 1 << 31 else 0, value)


def _name(cursor: Cursor) -> bytes:
    """A name in wire form and lower case. A pointer leads only backwards, and so to an end."""
    labels = bytearray()
    here, before = cursor, cursor.at
    while True:
        size = here.big(1, "label")
        if size & _POINTER == _POINTER:
            target = (size & ~_POINTER) << 8 | here.big(1, "pointer")
            if target >= before:
                raise Malformed(Reason.SYNTAX, "DNS answer: a pointer that does not lead back")
            before = target
            here = Cursor(cursor.raw, "DNS answer")
            here.at = target
            continue
        if size > MAX_LABEL:
            raise Malformed(Reason.TOO_LARGE, "DNS answer: label")
        labels += bytes((size,)) + here.take(size, "label")
        if len(labels) > MAX_NAME:
            raise Malformed(Reason.TOO_LARGE, "DNS answer: name")
        if not size:
            return bytes(labels).lower()


def _wire(name: str) -> bytes:
    """A name as labels. `Misused` for one that DNS cannot hold."""
    try:
        labels = name.rstrip(".").encode("idna").split(b".")
    except UnicodeError:
        raise Misused(Reason.SYNTAX, f"name {name!r}") from None
    if any(not 0 < len(label) <= MAX_LABEL for label in labels):
        raise Misused(Reason.SYNTAX, f"name {name!r}")
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(wire) > MAX_NAME:
        raise Misused(Reason.TOO_LARGE, f"name of {len(name)} letters")
    return wire
