# SPDX-License-Identifier: Apache-2.0
"""`--limit NAME=N`: caps of the launcher on the limits that a manifest sets itself."""

from __future__ import annotations

from collections.abc import Iterable

from enarx.errors import Misused, Reason
from enarx.workload.manifest import Limits
from enarx.workload.manifest_reader import FRACTIONS, MOST


def limits(pairs: Iterable[str]) -> dict[str, int | float]:
    """NAME=N pairs as a table; `Misused` for a name that is none, or a number that is no limit."""
    found: dict[str, int | float] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise Misused(Reason.SYNTAX, f"--limit {pair!r}", hint="--limit NAME=N")
        if name not in Limits.__struct_fields__:
            raise Misused(Reason.UNKNOWN_KEY, f"--limit {name}", hint=f"one of {', '.join(Limits.__struct_fields__)}")
        try:
            number = float(text) if name in FRACTIONS and not text.isdigit() else int(text)
        except ValueError:
            raise Misused(Reason.SYNTAX, f"--limit {pair!r}: {text!r} is no number") from None
        if not 0 < number < MOST:
            raise Misused(Reason.UNKNOWN_VALUE, f"--limit {pair!r}: no limit")
        found[name] = number
    return found
