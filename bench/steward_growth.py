"""Whether the Steward stays as fast, and as small, as its log and its number of requests grow."""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.steward import Bench
from enarx.identity import store
from enarx.identity.merkle import Peaks, leaf_hash

ROWS = 1_000_000
ROUNDS, SECONDS = 4, 8.0
FEW, MANY = 1_000, 100_000


def filled(url: str) -> None:
    """A log of `ROWS` entries, with what belongs to them, as if they had been issued."""
    engine = store.connect(url)
    store.prepare(engine)
    peaks, last = Peaks(), 0.0
    raw = engine.raw_connection()
    with raw.cursor() as cursor:
        with cursor.copy("COPY log_entry (position, leaf, entry) FROM STDIN") as copy:
            for position in range(ROWS):
                entry = b"%0200d" % position
                leaf = leaf_hash(entry)
                peaks.append(leaf)
                copy.write_row((position, leaf, entry))
        columns = "serial,tenant,policy,time,until,technology,measurement,package,launch,platform"
        with cursor.copy(f"COPY issued ({columns}) FROM STDIN") as copy:
            for _ in range(ROWS):
                digests = (secrets.token_bytes(20), secrets.token_bytes(32))
                copy.write_row(
                    (digests[0], "default", "test", last, last, "snp", "00" * 48, digests[1], digests[1], "00" * 64)
                )
        with cursor.copy("COPY log_node (level, position, hash) FROM STDIN") as copy:
            for row in peaks.full:
                copy.write_row(row)
        cursor.execute("UPDATE log_tree SET size = %s, peaks = %s", (peaks.size, peaks.encoded()))
    raw.commit()
    raw.close()
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


def log_growth() -> Iterator[dict[str, Any]]:
    empty, full = Bench(), Bench(filled)
    with empty.stack, full.stack:
        for one in (empty, full):
            one.load(3.0)
        rates: dict[str, list[float]] = {"empty": [], "full": []}
        for _ in range(ROUNDS):
            for name, one in (("empty", empty), ("full", full)):
                times, errors, seconds = one.load(SECONDS)
                if errors:
                    raise RuntimeError(errors[0])
                rates[name].append(len(times) / seconds)
    with_rows, without = (statistics.median(rates[name]) for name in ("full", "empty"))
    yield {
        "name": "steward.log_growth",
        "value": round(with_rows, 1),
        "unit": "1/s",
        "ratio": round(with_rows / without, 3),
        "against": f"the rate without rows, {without:.1f}/s; with {ROWS} rows",
    }


def resident(pid: int) -> int:
    """Bytes that a process and all below it have in memory of their own."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_")) * 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(resident(int(child)) for child in children)


def memory_growth() -> Iterator[dict[str, Any]]:
    bench = Bench()
    with bench.stack:
        done = answered(bench, FEW)
        few = resident(bench.serving.process.pid)
        done += answered(bench, MANY - done)
        many = resident(bench.serving.process.pid)
    yield {
        "name": "steward.memory_growth",
        "value": round(many / 2**20, 1),
        "unit": "MiB",
        "ratio": round(many / few, 3),
        "against": f"after {FEW} requests, {few / 2**20:.1f} MiB; this after {done}",
    }


def answered(bench: Bench, requests: int) -> int:
    """Attest until so many requests, two for each, have been answered."""
    done = 0
    while done < requests:
        times, errors, _ = bench.load(1.0 if requests <= FEW else 10.0)
        if errors:
            raise RuntimeError(errors[0])
        done += 2 * len(times)
    return done


BENCHES = {"steward.log_growth": log_growth, "steward.memory_growth": memory_growth}
