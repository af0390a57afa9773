# SPDX-License-Identifier: Apache-2.0
"""Intel's signed JSON: `{"NAME":{…},"signature":"…"}`, with the signature over the bytes received.

Intel PCS API v3 and v4: the signature is over the value's text as it stands in the answer, so
nothing here decodes and encodes again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

from enarx.codec.digest import unhex
from enarx.errors import Malformed, Reason

MAX_BYTES = 1 << 20
"""A TCB info has some 10 KB."""

Svn = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
Svn16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
Count = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]
Date = Annotated[datetime, msgspec.Meta(tz=True)]
Hex = Annotated[str, msgspec.Meta(max_length=128)]
Advisories = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=64)], ...], msgspec.Meta(max_length=1000)]

T = TypeVar("T")

_BLANKS = b" \t\r\n"
_TROUBLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Signed(msgspec.Struct, frozen=True):
    """A signed document: the bytes that were signed, and the signature (r ‖ s, 64 bytes)."""

    body: bytes
    signature: bytes


class _Outer(msgspec.Struct, forbid_unknown_fields=True):
    signature: str
    tcb_info: msgspec.Raw | msgspec.UnsetType = msgspec.field(name="tcbInfo", default=msgspec.UNSET)
    identity: msgspec.Raw | msgspec.UnsetType = msgspec.field(name="enclaveIdentity", default=msgspec.UNSET)


_OUTER = msgspec.json.Decoder(_Outer)


def parse(raw: bytes, name: str) -> Signed:
    """The document whose one value is called `name` ("tcbInfo" or "enclaveIdentity").

    Besides that value and the signature there is nothing: what nobody signed says nothing.
    """
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{name}: {len(raw)} bytes")
    try:
        outer = _OUTER.decode(raw)
    except _TROUBLE as error:
        raise Malformed(Reason.SYNTAX, f"{name}: {error}") from None
    found = outer.tcb_info if name == "tcbInfo" else outer.identity
    if not isinstance(found, msgspec.Raw):
        raise Malformed(Reason.MISSING, name)
    body = bytes(found)
    signature = unhex(outer.signature, f"{name}: signature", size=64)
    if outer.signature not in {outer.signature.lower(), outer.signature.upper()}:  # one spelling, nobody signed it
        raise Malformed(Reason.NOT_CANONICAL, f"{name}: signature in mixed case")
    around = raw.replace(body, b"", 1).translate(None, _BLANKS)
    value, signed = f'"{name}":', f'"signature":"{outer.signature}"'
    if around not in (f"{{{value},{signed}}}".encode(), f"{{{signed},{value}}}".encode()):
        raise Malformed(Reason.DUPLICATE, f"{name}: more than the value and its signature")
    return Signed(body, signature)


def decode(body: bytes, decoder: msgspec.json.Decoder[T], what: str) -> T:
    """The signed value by its typed decoder."""
    try:
        return decoder.decode(body)
    except _TROUBLE as error:
        raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None


def utc(dates: list[datetime], what: str) -> None:
    """Every date is given in UTC."""
    if not all(date.tzinfo is UTC for date in dates):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: a date that is not in UTC")
