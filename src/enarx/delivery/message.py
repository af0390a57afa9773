# SPDX-License-Identifier: Apache-2.0
"""One message of our own protocols: a map in deterministic CBOR with exactly the keys that were agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enarx.codec import cbor
from enarx.errors import Malformed, Reason

VERSION = 1


def table(raw: bytes, what: str, keys: Mapping[str, type]) -> dict[str, Any]:
    """The map in `raw`. `Malformed` unless it has these keys and types, and `v` of this version."""
    found = cbor.decode_canonical(raw, what)
    wanted = {"v": int, **keys}
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise Malformed(Reason.UNKNOWN_KEY, what)
    if not all(type(found[name]) is kind for name, kind in wanted.items()):
        raise Malformed(Reason.WRONG_TYPE, what)
    if found["v"] != VERSION:
        raise Malformed(Reason.UNKNOWN_VERSION, what)
    return found


def require_size(value: bytes, size: int, what: str) -> None:
    """`Malformed` unless `value` has so many bytes."""
    if len(value) != size:
        raise Malformed(Reason.WRONG_LENGTH, f"{what} of {len(value)} bytes, expected {size}")
