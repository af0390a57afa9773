# SPDX-License-Identifier: Apache-2.0
"""CBOR (RFC 8949): strict reading of foreign bytes, deterministic writing of our own."""

from __future__ import annotations

import io
from typing import Any, NoReturn

import cbor2

from enarx.errors import Malformed, Reason

MAX_DEPTH = 16
"""Nesting that the formats we judge never come near (a CCA token needs 6)."""

MAX_SMALL_ITEMS = 1 << 18
"""Items beyond these must have eight bytes each on average: an empty array takes one byte to
write and seventy to keep, so that a small file could fill a large memory."""

# Tags for which the library would build dates, fractions, expressions or shared references
# out of foreign bytes. No format that we judge uses one of them.
_REFUSED_TAGS = (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)


def encode(value: object) -> bytes:
    """Deterministic CBOR, RFC 8949 section 4.2.1: shortest forms, keys in bytewise order."""
    return cbor2.dumps(_ordered(value))


def _ordered(value: object) -> object:
    match value:
        case dict():
            return {key: _ordered(value[key]) for key in sorted(value, key=cbor2.dumps)}
        case list() | tuple():
            return [_ordered(item) for item in value]
        case cbor2.CBORTag():
            return cbor2.CBORTag(value.tag, _ordered(value.value))
        case _:
            return value


def _refuse(*_: object) -> NoReturn:
    msg = "tag not used by any format that we read"
    raise ValueError(msg)


def _epoch(value: object, _: object) -> cbor2.CBORTag:
    """Tag 1 as it stands: a CoRIM's validity is the one place where a format that we read has it."""
    return cbor2.CBORTag(1, value)


_DECODERS: dict[int, Any] = dict.fromkeys(_REFUSED_TAGS, _refuse)
_DECODERS_WITH_EPOCH: dict[int, Any] = {**_DECODERS, 1: _epoch}


def decode(raw: bytes, what: str, *, allow_indefinite: bool = True, epoch: bool = False) -> Any:
    """One CBOR item and nothing after it.

    Duplicate keys, nesting deeper than `MAX_DEPTH` and surprising tags are `Malformed`; with
    `epoch`, tag 1 (a time) is left as a tag.
    Returns what `cbor2` makes of it; the caller narrows the type of each part that it uses.
    """
    _require_few_items(raw, what)
    stream = io.BytesIO(raw)
    try:
        value = cbor2.CBORDecoder(
            stream,
            max_depth=MAX_DEPTH,
            allow_indefinite=allow_indefinite,
            allow_duplicate_keys=False,
            semantic_decoders=_DECODERS_WITH_EPOCH if epoch else _DECODERS,
        ).decode()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, MemoryError, RecursionError) as error:
        raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None
    if stream.tell() != len(raw):
        raise Malformed(Reason.TRAILING_BYTES, f"{what}: {len(raw) - stream.tell()} bytes after the CBOR item")
    return value


def _require_few_items(raw: bytes, what: str) -> None:
    """Count the heads of items, without looking at how they nest; only where there may be too many."""
    left = MAX_SMALL_ITEMS + len(raw) // 8
    if len(raw) <= left:
        return
    at = 0
    while at < len(raw):
        major, more = raw[at] >> 5, raw[at] & 0x1F
        octets = 1 << more - 24 if 24 <= more < 28 else 0
        size = int.from_bytes(raw[at + 1 : at + 1 + octets], "big") if octets else more
        at += 1 + octets + (size if major in (2, 3) and more < 28 else 0)
        left -= 1
        if left < 0:
            raise Malformed(Reason.TOO_LARGE, f"{what}: too many items")


def decode_canonical(raw: bytes, what: str) -> Any:
    """As `decode`, and the bytes are the one deterministic encoding of the value."""
    value = decode(raw, what, allow_indefinite=False)
    if encode(value) != raw:
        raise Malformed(Reason.NOT_CANONICAL, what)
    return value
