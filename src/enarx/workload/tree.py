# SPDX-License-Identifier: Apache-2.0
"""The tree of a package: named entries, each with the digests of its bytes, as in the Drawbridge.

A directory is compact JSON with sorted keys, `name -> {"digest": {algorithm: base64}, "length": N,
"type": media type}`; it is itself an entry of the directory above, so the root's digest names
every byte below. Upstream's form byte for byte (drawbridge `entry.v1`, `directory.v1`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json as stdlib_json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from enarx.codec import json
from enarx.codec.digest import SIZES, same
from enarx.errors import Malformed, Reason, Unauthentic

WASM = "application/wasm"
TOML = "application/toml"
OCTETS = "application/octet-stream"
DIRECTORY = "application/vnd.drawbridge.directory.v1+json"
ENTRY = "application/vnd.drawbridge.entry.v1+json"

MAX_WASM = 100_000_000
MAX_CONF = 1_000_000
MAX_DIRECTORY = 1_000_000
MAX_ENTRY = 64_000
MAX_NAME = 255

_NAME = re.compile(r"[0-9A-Za-z\-_.:]{1,255}")
_MEDIA_TYPE = re.compile(r"[0-9A-Za-z!#$&^_.+-]{1,127}/[0-9A-Za-z!#$&^_.+-]{1,127}(;[ -~]{0,127})?")
_STRONG = frozenset({"sha-256", "sha-384", "sha-512"})
_FIELDS = frozenset({"digest", "length", "type"})


def valid_name(name: str) -> bool:
    """Whether `name` may stand in a directory: upstream's alphabet, without `.` and `..`."""
    return _NAME.fullmatch(name) is not None and name not in {".", ".."}


def content_type(name: str) -> str:
    """The media type that a file has by its extension."""
    stem, _, extension = name.rpartition(".")
    return {"wasm": WASM, "toml": TOML}.get(extension, OCTETS) if stem else OCTETS


def size_limit(media_type: str) -> int:
    """How many bytes a node of this type may have."""
    return {DIRECTORY: MAX_DIRECTORY, TOML: MAX_CONF}.get(media_type, MAX_WASM)


class Entry(msgspec.Struct, frozen=True):
    """What a directory, or a tag, says of one node.

    digest  algorithm (IANA name) -> raw digest, at least one
    length  bytes
    type    media type
    custom  further fields as received
    """

    digest: dict[str, bytes]
    length: int
    type: str
    custom: dict[str, Any] = {}

    def table(self) -> dict[str, Any]:
        """The entry as JSON values."""
        digests = {name: base64.b64encode(raw).decode() for name, raw in self.digest.items()}
        return {**self.custom, "digest": digests, "length": self.length, "type": self.type}

    def encoded(self) -> bytes:
        """The entry's JSON."""
        return _dump(self.table())

    def require(self, raw: bytes, what: str) -> None:
        """`raw` has this length and all of these digests; `Unauthentic` otherwise."""
        scale = Scale(self.digest)
        scale.update(raw)
        scale.require(self, what)


class Scale:
    """Length and the four digests of bytes that come in pieces."""

    __slots__ = ("_hashes", "length")

    def __init__(self, algorithms: Iterable[str] = SIZES) -> None:
        self._hashes = {name: hashlib.new(name.replace("-", "")) for name in sorted(algorithms)}
        self.length = 0

    def update(self, piece: bytes) -> None:
        """The next piece."""
        self.length += len(piece)
        for one in self._hashes.values():
            one.update(piece)

    def entry(self, media_type: str) -> Entry:
        """What a directory says of the bytes that went by."""
        return Entry({name: one.digest() for name, one in self._hashes.items()}, self.length, media_type)

    def require(self, entry: Entry, what: str) -> None:
        """The bytes that went by are the ones that `entry` names; `Unauthentic` otherwise."""
        if self.length < entry.length:
            raise Unauthentic(Reason.TRUNCATED, f"{what}: {self.length} bytes, its entry says {entry.length}")
        if self.length > entry.length:
            raise Unauthentic(Reason.TOO_LARGE, f"{what}: {self.length} bytes, its entry says {entry.length}")
        # SHA-224 alone is weaker than the digest that names the package.
        if not entry.digest.keys() & _STRONG:
            raise Unauthentic(Reason.ALGORITHM, f"{what}: no digest of SHA-256 or better")
        for name, expected in entry.digest.items():
            if not same(self._hashes[name].digest(), expected):
                raise Unauthentic(Reason.DIGEST_MISMATCH, f"{what}: {name}")


def weigh(raw: bytes, media_type: str) -> Entry:
    """The entry of these bytes, with all four digests."""
    scale = Scale()
    scale.update(raw)
    return scale.entry(media_type)


def encode_directory(entries: Mapping[str, Entry]) -> bytes:
    """The bytes of a directory."""
    return _dump({name: entry.table() for name, entry in entries.items()})


def _dump(value: object) -> bytes:
    text = stdlib_json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate keeps its JSON escape


def parse_directory(raw: bytes, what: str = "directory") -> dict[str, Entry]:
    """The entries of a directory as received; `Malformed` otherwise.

    White space and the order of keys are free: the digest of the bytes received fixes them.
    """
    table = json.decode(raw, what, limit=MAX_DIRECTORY)
    if not isinstance(table, dict):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: not an object")
    for name in table:
        if not valid_name(name):
            raise Malformed(Reason.SYNTAX, f"{what}: invalid file name: {name[:MAX_NAME]!r}")
    return {name: _entry(value, f"{what}: {name}") for name, value in table.items()}


def parse_entry(raw: bytes, what: str = "entry") -> Entry:
    """One entry, as a tag carries it; `Malformed` otherwise."""
    return _entry(json.decode(raw, what, limit=MAX_ENTRY), what)


def _entry(value: object, what: str) -> Entry:
    if not isinstance(value, dict):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: not an object")
    if missing := _FIELDS - value.keys():
        raise Malformed(Reason.MISSING, f"{what}: {min(missing)!r}")
    length, media_type = value["length"], value["type"]
    if type(length) is not int or not 0 <= length < 1 << 63:
        raise Malformed(Reason.WRONG_TYPE, f"{what}: length")
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise Malformed(Reason.MEDIA_TYPE, f"{what}: type")
    custom = {name: kept for name, kept in value.items() if name not in _FIELDS}
    return Entry(parse_digests(value["digest"], what), length, media_type, custom)


def parse_digests(value: object, what: str) -> dict[str, bytes]:
    """`{algorithm: base64}` as raw digests, at least one, all of algorithms and sizes that we know."""
    if not isinstance(value, dict) or not value:
        raise Malformed(Reason.MISSING, f"{what}: at least one content digest value must be specified")
    found: dict[str, bytes] = {}
    for name, text in value.items():
        if name not in SIZES:
            raise Malformed(Reason.ALGORITHM, f"{what}: digest algorithm {str(name)[:32]!r}")
        found[name] = _unbase64(text, f"{what}: {name}")
        if len(found[name]) != SIZES[name]:
            raise Malformed(Reason.WRONG_LENGTH, f"{what}: {name} digest of {len(found[name])} bytes")
    return found


def _unbase64(text: object, what: str) -> bytes:
    if not isinstance(text, str):
        raise Malformed(Reason.WRONG_TYPE, what)
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(Reason.SYNTAX, f"{what}: not base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Malformed(Reason.NOT_CANONICAL, f"{what}: base64")
    return raw
