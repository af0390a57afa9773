# SPDX-License-Identifier: Apache-2.0
"""Decoded CBOR narrowed part by part: a map of known keys, an array, a pair, a tag. Anything else is `Malformed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2

from enarx.errors import Malformed, Reason


def unsigned(value: Any) -> bool:
    """Whether a value is an integer of 0 or above."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def tagged(value: Any, tag: int, what: str) -> Any:
    """The value under this tag."""
    if not isinstance(value, cbor2.CBORTag) or value.tag != tag:
        raise Malformed(Reason.WRONG_TYPE, f"{what}: tag {tag} expected")
    return value.value


def map_of(value: Any, known: set[int], required: set[int], what: str) -> Mapping[Any, Any]:
    """A map with no key but the known ones, and with those required."""
    if not isinstance(value, Mapping):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: map expected")
    if unknown := value.keys() - known:
        raise Malformed(Reason.UNKNOWN_KEY, f"{what}: {next(iter(unknown))!r}")
    if missing := required - value.keys():
        raise Malformed(Reason.MISSING, f"{what}: {min(missing)}")
    return value


def list_of(value: Any, what: str, *, empty: bool = False) -> list[Any] | tuple[Any, ...]:
    """An array, with something in it unless `empty`."""
    if not isinstance(value, list | tuple) or not (value or empty):
        raise Malformed(Reason.WRONG_TYPE, f"{what}: array expected")
    return value


def pair_of(value: Any, what: str) -> tuple[Any, Any]:
    """An array of two."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Malformed(Reason.WRONG_TYPE, f"{what}: array of two expected")
    first, second = value
    return first, second
