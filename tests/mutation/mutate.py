"""Changes of genuine evidence, one at a time, and the proof that none of them is accepted.

Tests import it as `from tests.mutation.mutate import bit_flips, never_accepted`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from enarx.errors import EnarxError, Faulty

Span = tuple[int, int]
"""From (inclusive) and to (exclusive), in bytes."""


class Tally(NamedTuple):
    """What came of it: how many were tried, and the slowest against the genuine one."""

    count: int
    slowest: float


def total(*tallies: Tally) -> Tally:
    """The sum of several."""
    return Tally(sum(one.count for one in tallies), max(one.slowest for one in tallies))


def bit_flips(raw: bytes, *, ignored: Sequence[Span] = ()) -> Iterator[tuple[str, bytes]]:
    """`raw` with each of its bits turned, those in `ignored` left out."""
    for at in range(len(raw)):
        if any(start <= at < stop for start, stop in ignored):
            continue
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            yield f"bit {bit} of byte {at:#x}", bytes(changed)


def byte_flips(raw: bytes, *, step: int = 1, ignored: Sequence[Span] = ()) -> Iterator[tuple[str, bytes]]:
    """`raw` with one bit turned in each byte, or in every `step`th: for what is long and slow."""
    for at in range(0, len(raw), step):
        if any(start <= at < stop for start, stop in ignored):
            continue
        changed = bytearray(raw)
        changed[at] ^= 1 << at % 8
        yield f"byte {at:#x}", bytes(changed)


def truncations(raw: bytes, *, step: int = 1) -> Iterator[tuple[str, bytes]]:
    """Every prefix, and one byte too many."""
    for size in range(0, len(raw), step):
        yield f"cut to {size}", raw[:size]
    yield "one byte more", raw + b"\0"


def changed_values(document: Any, at: str = "$") -> Iterator[tuple[str, Any]]:
    """A JSON value with each of its leaves changed, each of its keys removed, and one key added."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield f"{at} without {key}", {k: v for k, v in document.items() if k != key}
            for name, other in changed_values(value, f"{at}.{key}"):
                yield name, {**document, key: other}
        yield f"{at} with more", {**document, "unexpected": 0}
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield f"{at} without [{place}]", document[:place] + document[place + 1 :]
            for name, other in changed_values(value, f"{at}[{place}]"):
                yield name, [*document[:place], other, *document[place + 1 :]]
    else:
        yield at, _other(document)


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case _:
            return 0


def never_accepted(judge: Callable[[Any], object], genuine: Any, changes: Iterable[tuple[str, Any]]) -> Tally:
    """`judge` accepts `genuine` and refuses every change in one of our families.

    The time of the slowest change against the genuine one is measured, not asserted: `Tally`
    carries it for whoever prints it.
    """
    usual = _usual(judge, genuine)
    count = 0
    slowest = 0.0
    for name, changed in changes:
        spent = _refused(judge, changed, name)
        if spent > 5 * usual:  # perhaps something else ran: the least of three counts
            spent = min(spent, _refused(judge, changed, name), _refused(judge, changed, name))
        slowest = max(slowest, spent)
        count += 1
    return Tally(count, slowest / usual)


def _usual(judge: Callable[[Any], object], genuine: Any) -> float:
    times = []
    for _ in range(5):
        start = time.process_time()
        judge(genuine)
        times.append(time.process_time() - start)
    return max(sorted(times)[2], 1e-6)


def _refused(judge: Callable[[Any], object], changed: Any, name: str) -> float:
    """How long the refusal took, in seconds of this process."""
    start = time.process_time()
    try:
        judge(changed)
    except Faulty:
        raise
    except EnarxError:
        return time.process_time() - start
    message = f"accepted with {name} changed"
    raise AssertionError(message)
