# SPDX-License-Identifier: Apache-2.0
"""Evidence on its way: RATS Conceptual Message Wrappers (RFC 9999), one piece or a collection.

What a Keep sends to a Steward and to whoever connects. Wrapping proves nothing: the members of
a collection are linked by what they sign (`enarx.evidence.composition`), not by lying together.
"""

from __future__ import annotations

import base64
import binascii
import json as stdlib_json
from collections.abc import Mapping
from typing import Any

from enarx.codec import cbor, json
from enarx.codec.der import OCTET_STRING, UTF8_STRING, Der, write
from enarx.errors import Malformed, Misused, Reason
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind

MEDIA_CBOR = "application/cmw+cbor"
MEDIA_JSON = "application/cmw+json"
ID_PE_CMW = "1.3.6.1.5.5.7.1.35"
"""The X.509 extension that carries a wrapper in certificates and requests."""

COLLECTION_TYPE_KEY = "__cmwc_t"
COLLECTION_TYPE = "tag:enarx.dev,2026:keep-evidence"
IND_EVIDENCE = 1 << 2
"""Bit 2 of `ind`: the wrapped message is Evidence."""

MAX_BYTES = 4 << 20
"""A host with eight GPUs, its event log and its certificates stays below 1 MiB."""
MAX_MEMBERS = 32
MAX_NESTING = 3

_PSA = 'application/eat+cwt; eat_profile="tag:psacertified.org,2023:psa#tfm"'
_OURS = {f"application/vnd.enarx.{kind}+cbor": kind for kind in Kind}
# Types of others for a bare body: RFC 9783 (PSA), and what Arm CCA agents send.
_BARE = {
    _PSA: Kind.PSA,
    'application/eat+cwt; eat_profile="tag:psacertified.org,2019:psa#legacy"': Kind.PSA,
    'application/eat-collection; profile="http://arm.com/CCA-SSD/1.0.0"': Kind.CCA,
}


def encode(members: tuple[Evidence, ...]) -> bytes:
    """A CBOR record for one member, a CBOR collection for several; deterministic."""
    _countable(members)
    if len(members) == 1:
        return cbor.encode(_record(members[0]))
    table: dict[object, object] = {COLLECTION_TYPE_KEY: COLLECTION_TYPE}
    return cbor.encode(table | {label: _record(member) for label, member in enumerate(members)})


def encode_json(members: tuple[Evidence, ...]) -> bytes:
    """The same in JSON, for protocols that are text."""
    _countable(members)
    records = [[kind, _base64(value), ind] for kind, value, ind in map(_record, members)]
    if len(records) == 1:
        return stdlib_json.dumps(records[0]).encode()
    table: dict[str, object] = {COLLECTION_TYPE_KEY: COLLECTION_TYPE}
    return stdlib_json.dumps(table | {str(label): record for label, record in enumerate(records)}).encode()


def _countable(members: tuple[Evidence, ...]) -> None:
    if not 1 <= len(members) <= MAX_MEMBERS:
        raise Misused(Reason.WRONG_LENGTH, f"collection of {len(members)} members, 1 to {MAX_MEMBERS}")


def record_value(member: Evidence) -> bytes:
    """The value of the member's record: everything that travels of it, signature and keys included."""
    return _record(member)[1]


def _record(member: Evidence) -> tuple[str, bytes, int]:
    if member.kind is Kind.PSA and not member.parts:
        return _PSA, member.body, IND_EVIDENCE
    value: dict[str, object] = {"body": member.body}
    if member.parts:
        value["parts"] = member.parts
    return f"application/vnd.enarx.{member.kind}+cbor", cbor.encode(value), IND_EVIDENCE


def decode(raw: bytes) -> tuple[Evidence, ...]:
    """The members of a wrapper in CBOR or JSON, in the order in which they stand in it.

    The first byte says which (RFC 9999, decapsulation). Only Evidence is accepted. Nested
    collections are flattened. `Malformed` for anything else, and beyond the limits above.
    """
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"collection: {len(raw)} bytes, at most {MAX_BYTES}")
    if raw[:1] in {b"[", b"{"}:
        members = _members(json.decode(raw, "collection"), text=True, levels=MAX_NESTING)
    else:
        members = _members(cbor.decode(raw, "collection", allow_indefinite=False), text=False, levels=MAX_NESTING)
    if not 1 <= len(members) <= MAX_MEMBERS:
        raise Malformed(Reason.WRONG_LENGTH, f"collection: {len(members)} members, 1 to {MAX_MEMBERS}")
    return tuple(members)


def _members(value: Any, *, text: bool, levels: int) -> list[Evidence]:
    if isinstance(value, list | tuple):
        return [_evidence(value, text=text)]
    if not isinstance(value, Mapping):
        raise Malformed(Reason.WRONG_TYPE, "collection: neither a record nor a collection")
    if not levels:
        raise Malformed(Reason.TOO_DEEP, "collection")
    found: list[Evidence] = []
    for label, item in value.items():
        if label == COLLECTION_TYPE_KEY:
            _collection_type(item)
        elif isinstance(label, int | str) and not isinstance(label, bool):
            found += _members(item, text=text, levels=levels - 1)
        else:
            raise Malformed(Reason.WRONG_TYPE, "collection: label")
    return found


def _collection_type(value: Any) -> None:
    # A URI or an object identifier in dotted form. It steers nothing here.
    if not isinstance(value, str) or not 3 <= len(value) <= 255 or not (":" in value or "." in value):
        raise Malformed(Reason.UNKNOWN_VALUE, f"collection: {COLLECTION_TYPE_KEY}")


def _evidence(record: Any, *, text: bool) -> Evidence:
    if len(record) not in (2, 3):
        raise Malformed(Reason.WRONG_LENGTH, f"record: {len(record)} items, expected 2 or 3")
    media, value = record[0], record[1]
    if len(record) == 3 and (record[2] != IND_EVIDENCE or isinstance(record[2], bool | float)):
        raise Malformed(Reason.UNKNOWN_VALUE, "record: ind does not say Evidence")
    if text:
        value = _unbase64(value)
    if not isinstance(value, bytes):
        raise Malformed(Reason.WRONG_TYPE, "record: value")
    if not isinstance(media, str):
        raise Malformed(Reason.UNKNOWN_KIND, "record: a CoAP content format, expected a media type")
    if kind := _BARE.get(media):
        return Evidence(kind, value)
    if kind := _OURS.get(media):
        return _unpacked(kind, value)
    raise Malformed(Reason.UNKNOWN_KIND, f"record: type {media[:80]!r}")


def _unpacked(kind: Kind, value: bytes) -> Evidence:
    table = cbor.decode_canonical(value, f"{kind} evidence")
    if not isinstance(table, dict) or not isinstance(table.get("body"), bytes):
        raise Malformed(Reason.WRONG_TYPE, f"{kind} evidence: body")
    if unknown := table.keys() - {"body", "parts"}:
        raise Malformed(Reason.UNKNOWN_KEY, f"{kind} evidence: {min(map(str, unknown))!r}")
    parts = table.get("parts", {})
    if not isinstance(parts, dict) or ("parts" in table and not parts):
        raise Malformed(Reason.WRONG_TYPE, f"{kind} evidence: parts")
    if not all(isinstance(name, str) and isinstance(part, bytes) for name, part in parts.items()):
        raise Malformed(Reason.WRONG_TYPE, f"{kind} evidence: parts")
    return Evidence(kind, table["body"], parts)


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unbase64(value: Any) -> bytes:
    """RFC 4648 section 5 without padding; one spelling a value."""
    if not isinstance(value, str) or not value.isascii():
        raise Malformed(Reason.WRONG_TYPE, "record: value")
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Malformed(Reason.SYNTAX, "record: value is not base64url") from None
    if _base64(raw) != value:
        raise Malformed(Reason.NOT_CANONICAL, "record: value is not base64url without padding")
    return raw


def extension_value(wrapper: bytes) -> bytes:
    """The value of an id-pe-cmw extension: `CMW ::= CHOICE { json UTF8String, cbor OCTET STRING }`, DER."""
    return write(UTF8_STRING if wrapper[:1] in {b"[", b"{"} else OCTET_STRING, wrapper)


def from_extension(value: bytes) -> tuple[Evidence, ...]:
    """The members inside an id-pe-cmw extension's value."""
    reader = Der(value, "id-pe-cmw")
    tag, wrapper = reader.any("CMW")
    reader.done()
    if tag not in (UTF8_STRING, OCTET_STRING):
        raise Malformed(Reason.WRONG_TYPE, f"id-pe-cmw: tag {tag:#04x}")
    if (tag == UTF8_STRING) != (wrapper[:1] in {b"[", b"{"}):
        raise Malformed(Reason.INCONSISTENT, "id-pe-cmw: JSON and CBOR have a choice each")
    return decode(wrapper)
