"""Judging SGX and TDX quotes, against `dcap_qvl.verify` on the same quote and collateral.

Both sides start from bytes and do the whole work: ours parses, authenticates and appraises with a
policy section in which nothing is left open that the capture can answer.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dcap_qvl

from enarx.appraisal import sgx as sgx_section
from enarx.appraisal import tdx as tdx_section
from enarx.cli.vectors.intel import collateral
from enarx.evidence import intel_intermediates, sgx, tdx
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.memory import Memory
from enarx.evidence.production import production

EVIDENCE = Path(os.environ.get("ENARX_EVIDENCE", Path(__file__).resolve().parents[2] / "shared" / "evidence"))
ROUNDS = 24
PER_ROUND = 50


class Capture:
    """One quote with its collateral, for both judges."""

    def __init__(self, kind: str, name: str, folder: str, when: datetime) -> None:
        here = EVIDENCE / kind / name
        files = {str(f.relative_to(here)): f.read_bytes() for f in here.rglob("*") if f.is_file()}
        self.quote = files["quote.bin"]
        self.endorsements = Endorsements(intel=collateral(files, folder))
        self.when = when
        self.format: Any = {"sgx": sgx, "tdx": tdx}[kind]
        self.section: Any = {"sgx": sgx_section, "tdx": tdx_section}[kind]
        self.theirs = dcap_qvl.QuoteCollateralV3.from_json(files[f"{folder}/qvl_collateral.json"].decode())
        self.policy = self.section.drafted(self.ours(Memory()), when=self.when)
        refused = [check for check in self.judge(Memory()) if check.says_no()]
        if refused:
            raise SystemExit(f"the capture is refused: {refused[0]}")

    def ours(self, memory: Memory[Any], quote: bytes = b"") -> Any:
        report = self.format.parse(quote or self.quote)
        return self.format.authenticate(report, self.endorsements, anchors=production(), when=self.when, memory=memory)

    def judge(self, memory: Memory[Any], quote: bytes = b"") -> Any:
        return self.section.appraise(self.ours(memory, quote), self.policy, when=self.when)

    def oracle(self) -> None:
        dcap_qvl.verify(self.quote, self.theirs, int(self.when.timestamp()))


def sgx_capture() -> Capture:
    return Capture("sgx", "phala-sgx-v3", "collateral1", datetime(2023, 12, 6, 0, 22, 47, tzinfo=UTC))


def tdx_capture() -> Capture:
    return Capture("tdx", "near-2025-08", "collateral1", datetime(2026, 8, 28, 5, 21, 24, tzinfo=UTC))


def interleaved(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Seconds of processor time of one call of each: the lowest tenth of the rounds in which both take turns."""
    gc.collect()
    gc.disable()  # as timeit does
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for work, into in ((ours, times[0]), (theirs, times[1])):
            start = time.process_time()
            for _ in range(PER_ROUND):
                work()
            into.append((time.process_time() - start) / PER_ROUND)
    gc.enable()
    # the machine is shared: what disturbs a round makes it longer, never shorter
    return statistics.quantiles(times[0], n=10)[0], statistics.quantiles(times[1], n=10)[0]


def result(name: str, capture: Capture, ours: Callable[[], object]) -> dict[str, Any]:
    mine, theirs = interleaved(ours, capture.oracle)
    return {
        "name": name,
        "value": round(mine * 1e6, 1),
        "unit": "us",
        "ratio": round(mine / theirs, 3),
        "against": "dcap_qvl.verify",
    }


def warm(name: str, capture: Capture) -> Iterator[dict[str, Any]]:
    memory: Memory[Any] = Memory()
    capture.judge(memory)
    yield result(name, capture, lambda: capture.judge(memory))


def newplatform(name: str, capture: Capture) -> Iterator[dict[str, Any]]:
    """A PCK leaf not seen before: every quote breaks the first lines of its chain elsewhere, so none is remembered."""
    memory: Memory[Any] = Memory()
    capture.judge(memory)
    quotes = [varied(capture.quote, at) for at in range(ROUNDS * PER_ROUND)]
    yield result(name, capture, lambda: capture.judge(memory, quotes.pop()))


def varied(quote: bytes, at: int) -> bytes:
    """A version 4 quote of TD 1.0 with one more line end in the PEM of its PCK leaf (unsigned, and allowed there)."""
    auth = 632 + 4 + 64 + 64 + 6 + 384 + 64
    inner = auth + 2 + int.from_bytes(quote[auth : auth + 2], "little") + 2
    letters = quote.index(b"\n", inner) + 1 + at
    longer = bytearray(quote[:letters] + b"\n" + quote[letters:])
    for length in (632, 632 + 4 + 64 + 64 + 2, inner):  # of signature data, and of both kinds of certification data
        longer[length : length + 4] = (int.from_bytes(quote[length : length + 4], "little") + 1).to_bytes(4, "little")
    return bytes(longer)


def cold(name: str, capture: Capture) -> Iterator[dict[str, Any]]:
    """Nothing remembered. The five certificates that Intel's root has signed for everyone are pinned in the source."""
    yield result(name, capture, lambda: capture.judge(Memory()))


def unpinned(name: str, capture: Capture) -> Iterator[dict[str, Any]]:
    """As cold, with every signature of the PCK CA and of the TCB signing certificate verified as well."""
    signed_by = intel_intermediates.signed_by
    intel_intermediates.signed_by = lambda root, raw: None  # noqa: ARG005
    try:
        yield result(name, capture, lambda: capture.judge(Memory()))
    finally:
        intel_intermediates.signed_by = signed_by


BENCHES: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "judge.sgx.warm": lambda: warm("judge.sgx.warm", sgx_capture()),
    "judge.tdx.warm": lambda: warm("judge.tdx.warm", tdx_capture()),
    "judge.tdx.newplatform": lambda: newplatform("judge.tdx.newplatform", tdx_capture()),
    "judge.tdx.cold": lambda: cold("judge.tdx.cold", tdx_capture()),
    "judge.tdx.cold.unpinned": lambda: unpinned("judge.tdx.cold.unpinned", tdx_capture()),
}
