# SPDX-License-Identifier: Apache-2.0
"""How a policy says what it wants: a value, or the word `unchecked`. Never nothing.

The functions here turn one expectation and one fact into one `Check`, so that every technology
answers in the same shape.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from enarx.errors import Reason
from enarx.evidence.check import Check, Verdict

Unchecked = Literal["unchecked"]
UNCHECKED: Unchecked = "unchecked"

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
Hex16 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Hex48 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{96}$")]
Hex64 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]


HexSet = frozenset[Hex] | Unchecked
Hex16Set = frozenset[Hex16] | Unchecked
Hex32Set = frozenset[Hex32] | Unchecked
Hex48Set = frozenset[Hex48] | Unchecked
Hex64Set = frozenset[Hex64] | Unchecked
"""Lists of byte strings, or the word; the loader folds hexadecimal to lower case."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The part of a policy for one technology. Every field is required."""


def passed(name: str, fact: str | bytes | int, expectation: str | bytes | int, source: str) -> Check:
    """A check that holds."""
    return Check(name, Verdict.PASSED, None, fact, expectation, source)


def failed(
    name: str, reason: Reason, fact: str | bytes | int, expectation: str | bytes | int, source: str, mend: str = ""
) -> Check:
    """A check that does not."""
    return Check(name, Verdict.FAILED, reason, fact, expectation, source, mend)


def open_(name: str, fact: str | bytes | int, source: str) -> Check:
    """A check that the policy leaves open in so many words."""
    return Check(name, Verdict.UNCHECKED, None, fact, UNCHECKED, source)


def among(
    name: str,
    fact: bytes,
    allowed: frozenset[str] | Unchecked,
    *,
    reason: Reason,
    source: str,
    mend: str = "",
) -> Check:
    """`fact` is one of the byte strings that the policy lists in lower-case hexadecimal.

    One look-up: the cost does not grow with the list.
    """
    if isinstance(allowed, str):
        return open_(name, fact, source)
    if fact.hex() in allowed:
        return passed(name, fact, "one of those listed", source)
    some = " or ".join(itertools.islice(allowed, 3)) or "nothing is listed"
    more = f" or {len(allowed) - 3} more" if len(allowed) > 3 else ""
    return failed(name, reason, fact, some + more, source, mend)


def not_among(name: str, fact: bytes, denied: frozenset[str], *, reason: Reason, source: str) -> Check:
    """`fact` is none of the byte strings that the policy denies."""
    if fact.hex() in denied:
        return failed(name, reason, fact, "none of those denied", source)
    return passed(name, fact, "none of those denied", source)


def at_least(name: str, fact: int, minimum: int | Unchecked, *, reason: Reason, source: str, mend: str = "") -> Check:
    """`fact` is not below the policy's minimum."""
    if isinstance(minimum, str):
        return open_(name, fact, source)
    if fact >= minimum:
        return passed(name, fact, f"at least {minimum}", source)
    return failed(name, reason, fact, f"at least {minimum}", source, mend)


def holds(
    name: str,
    fact: str | bytes | int,
    wanted: object,
    test: Callable[[], bool],
    *,
    reason: Reason,
    source: str,
    expectation: str | bytes | int = "",
    mend: str = "",
) -> Check:
    """The general form: open when the policy says so, else `test()` decides."""
    if wanted == UNCHECKED:
        return open_(name, fact, source)
    said = expectation if expectation != "" else str(wanted)
    return passed(name, fact, said, source) if test() else failed(name, reason, fact, said, source, mend)
