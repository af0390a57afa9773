# SPDX-License-Identifier: Apache-2.0
"""JSON (RFC 8259) from strangers: UTF-8, no duplicate names, no NaN, bounded size and depth."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from enarx.errors import Malformed, Reason

MAX_BYTES = 8 << 20
"""The largest document of a vendor that we know of (an NVIDIA RIM) is below 1 MiB."""
MAX_DEPTH = 32


def decode(raw: bytes, what: str, *, limit: int = MAX_BYTES) -> Any:
    """The value of one JSON document of at most `limit` bytes."""
    if len(raw) > limit:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(raw)} bytes, at most {limit}")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(items)
        if len(table) != len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise Malformed(Reason.DUPLICATE, f"{what}: {twice!r}")
        return table

    def constant(name: str) -> NoReturn:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: {name}")

    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None
    _shallow(value, what, MAX_DEPTH)
    return value


def _shallow(value: object, what: str, levels: int) -> None:
    if levels == 0:
        raise Malformed(Reason.TOO_DEEP, what)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _shallow(item, what, levels - 1)
