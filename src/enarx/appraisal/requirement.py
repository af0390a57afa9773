# SPDX-License-Identifier: Apache-2.0
"""Version requirements as Cargo writes them, which upstream's `abi` key speaks: ">=1.51, <2".

One comparator is a half-open range of (major, minor, patch); a requirement is their common part.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated

import msgspec

Version = tuple[int, int, int]

_ONE = r"\s*(\^|~|=|>=|<=|>|<)?\s*\d+(\.\d+){0,2}\s*"
PATTERN = f"^(unchecked|{_ONE}(,{_ONE})*)$"
Requirement = Annotated[str, msgspec.Meta(pattern=PATTERN, max_length=120)]
"""A requirement, or the word `unchecked`."""

_COMPARATOR = re.compile(r"(\^|~|=|>=|<=|>|<)?\s*(\d+(?:\.\d+){0,2})")
_LOWEST: Version = (0, 0, 0)
_HIGHEST: Version = (1 << 64, 0, 0)


def satisfies(version: Version, requirement: str) -> bool:
    """Whether a version is in every range of a requirement (of the form that `Requirement` lets pass)."""
    return all(lowest <= version < beyond for lowest, beyond in _ranges(requirement))


@functools.lru_cache(maxsize=256)
def _ranges(requirement: str) -> tuple[tuple[Version, Version], ...]:
    return tuple(_range(sign or "^", digits) for sign, digits in _COMPARATOR.findall(requirement))


def _range(sign: str, digits: str) -> tuple[Version, Version]:
    """The versions from (inclusive) and to (exclusive)."""
    given = tuple(int(part) for part in digits.split("."))
    lowest = _padded(given)
    after = _bumped(given, len(given) - 1)
    return {
        "=": (lowest, after),
        ">": (after, _HIGHEST),
        ">=": (lowest, _HIGHEST),
        "<": (_LOWEST, lowest),
        "<=": (_LOWEST, after),
        "~": (lowest, _bumped(given, min(1, len(given) - 1))),
        "^": (lowest, _bumped(given, _leading(given))),
    }[sign]


def _leading(given: tuple[int, ...]) -> int:
    """The position that a caret holds fixed: of the first part that is not zero, else the last."""
    return next((at for at, part in enumerate(given) if part), len(given) - 1)


def _bumped(given: tuple[int, ...], at: int) -> Version:
    return _padded((*given[:at], given[at] + 1))


def _padded(given: tuple[int, ...]) -> Version:
    major, minor, patch = (*given, 0, 0)[:3]
    return major, minor, patch
