# SPDX-License-Identifier: Apache-2.0
"""Runs a fuzz target: under atheris where it is installed, else with a plain mutator.

    python fuzz/snp.py [SECONDS] [SEED]

A target is a `def target(data: bytes) -> None` that lets our own errors pass (`families()`) and
nothing else. An input that breaks it is written to `crash-DIGEST.bin` beside the target.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from enarx.errors import EnarxError, Faulty

Target = Callable[[bytes], None]
EDGES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00" * 4, b"\xff" * 4, b"\x00" * 8, b"\xff" * 8, b"\x30\x80")


@contextlib.contextmanager
def families() -> Iterator[None]:
    """Our errors are answers; `Faulty` and anything else are not."""
    try:
        yield
    except Faulty:
        raise
    except EnarxError:
        pass


def main(target: Target, seeds: Sequence[bytes]) -> None:
    """The command line of a fuzz file."""
    try:
        import atheris  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
        seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
        print(f"{Path(sys.argv[0]).name}: {_random_run(target, seeds, seconds, seed)} inputs, seed {seed}")
        return
    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


def _random_run(target: Target, seeds: Sequence[bytes], seconds: float, seed: int) -> int:
    """Mutate for so long; returns how many inputs the target saw."""
    chance = random.Random(seed)
    pool = [seed_ for seed_ in seeds if seed_] or [b"\0"]
    for one in (b"", *seeds):
        _attempt(target, one)
    count = len(seeds) + 1
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        _attempt(target, mutated(chance.choice(pool), pool, chance))
        count += 1
    return count


def mutated(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """`data` with one to four changes: bits, bytes, cuts, copies, splices."""
    raw = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(raw) + 1)
        match chance.randrange(7):
            case 0 if at < len(raw):
                raw[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(raw):
                raw[at] = chance.randrange(256)
            case 2:
                edge = chance.choice(EDGES)
                raw[at : at + len(edge)] = edge
            case 3:
                del raw[at : at + chance.randint(1, 64)]
            case 4:
                raw[at:at] = chance.randbytes(chance.randint(1, 16))
            case 5:
                start = chance.randrange(len(raw) + 1)
                raw[at:at] = raw[start : start + chance.randint(1, 64)]
            case _:
                other = chance.choice(pool)
                raw[at:] = other[chance.randrange(len(other)) :]
    return bytes(raw)


def _attempt(target: Target, data: bytes) -> None:
    try:
        target(data)
    except Exception:  # noqa: BLE001 - whatever it is, the input is kept
        path = Path(sys.argv[0]).with_name(f"crash-{hashlib.sha256(data).hexdigest()[:16]}.bin")
        path.write_bytes(data)
        traceback.print_exc()
        print(f"input kept in {path}", file=sys.stderr)
        raise SystemExit(1) from None
