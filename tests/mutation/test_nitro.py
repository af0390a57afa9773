"""Genuine Nitro documents, changed: nothing of them is accepted any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest

from enarx.codec.x509 import Certificate
from enarx.evidence import nitro
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nitro_document import parse
from enarx.evidence.production import production
from tests.mutation.mutate import bit_flips, byte_flips, never_accepted, total, truncations

pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be")

ENCLAVE = ("nitro", "dstack-prod-2025")
INSTANCE = ("nitrotpm", "vaportpm-nitrotpm-2026-02-01")
OTHERS = [("nitro", name) for name in ("blocky-2024-maxfields", "evervault-2022", "marlin-2024-04")]


def capture(evidence_dir: Path, which: tuple[str, str]) -> tuple[bytes, datetime]:
    folder = evidence_dir / which[0] / which[1]
    case = json.loads((folder / "vector.json").read_text())["cases"][0]
    return (folder / "attestation.cbor").read_bytes(), datetime.fromisoformat(case["when"])


def judge(raw: bytes, kind: str, when: datetime, memory: Memory[Any] | None = None) -> nitro.NitroClaims:
    return nitro.judge(Evidence(Kind(kind), raw), NOTHING, anchors=production(), when=when, memory=memory)


@pytest.mark.slow
@pytest.mark.parametrize("which", [ENCLAVE, INSTANCE], ids=lambda which: which[1])
def test_every_bit_of_a_document_counts(evidence_dir: Path, which: tuple[str, str]) -> None:
    raw, when = capture(evidence_dir, which)
    memory: Memory[Any] = Memory()
    # A document has no padding that may say anything: no offset is left out.
    tally = never_accepted(lambda one: judge(one, which[0], when, memory), raw, bit_flips(raw))
    print(f"{which[1]}: {tally.count} bits turned, slowest {tally.slowest:.1f} of the genuine one")
    assert tally.count == len(raw) * 8


@pytest.mark.parametrize("which", OTHERS, ids=lambda which: which[1])
def test_bytes_and_lengths_of_other_documents_count(evidence_dir: Path, which: tuple[str, str]) -> None:
    raw, when = capture(evidence_dir, which)
    memory: Memory[Any] = Memory()

    def judged(one: bytes) -> object:
        return judge(one, which[0], when, memory)

    tally = total(
        never_accepted(judged, raw, byte_flips(raw, step=3)), never_accepted(judged, raw, truncations(raw, step=5))
    )
    print(f"{which[1]}: {tally.count} changes, slowest {tally.slowest:.1f} of the genuine one")


def exchanged(raw: bytes, other: bytes, kind: str) -> Iterator[tuple[str, bytes]]:
    """Each certificate, and each other part, exchanged for that of another genuine document."""
    parts, foreign = cbor2.loads(raw), cbor2.loads(other)
    mine, theirs = cbor2.loads(parts[2]), cbor2.loads(foreign[2])
    for place in range(1, len(mine["cabundle"])):
        bundle = [*mine["cabundle"][:place], theirs["cabundle"][place], *mine["cabundle"][place + 1 :]]
        yield f"cabundle {place}", cbor2.dumps([parts[0], {}, cbor2.dumps(mine | {"cabundle": bundle}), parts[3]])
    for name in ("certificate", "cabundle", "pcrs" if kind == "nitro" else "nitrotpm_pcrs", "timestamp", "module_id"):
        yield name, cbor2.dumps([parts[0], {}, cbor2.dumps(mine | {name: theirs[name]}), parts[3]])
    yield "payload", cbor2.dumps([parts[0], {}, foreign[2], parts[3]])
    yield "signature", cbor2.dumps([*parts[:3], foreign[3]])


@pytest.mark.parametrize(
    ("which", "other"),
    [(ENCLAVE, ("nitro", "dstack-debug-2025")), (INSTANCE, ("nitrotpm", "vaportpm-nitrotpm-2026-02-02"))],
)
def test_parts_of_another_genuine_document_do_not_help(evidence_dir: Path, which: Any, other: Any) -> None:
    (raw, when), (foreign, _) = capture(evidence_dir, which), capture(evidence_dir, other)
    tally = never_accepted(lambda one: judge(one, which[0], when), raw, exchanged(raw, foreign, which[0]))
    print(f"{which[1]}: {tally.count} parts exchanged")
    assert tally.count == 10


@pytest.mark.parametrize("which", [ENCLAVE, INSTANCE], ids=lambda which: which[1])
def test_before_and_after_every_window_nothing_is_accepted(evidence_dir: Path, which: tuple[str, str]) -> None:
    raw, when = capture(evidence_dir, which)
    document = parse(raw, Kind(which[0]))
    path = [Certificate(one) for one in (document.certificate, *document.cabundle)]
    second = timedelta(seconds=1)
    times = [time for one in path for time in (one.not_before - second, one.not_after + second)]
    memory: Memory[Any] = Memory()
    for remembered in (None, memory):
        judge(raw, which[0], when, remembered)
        changes = [(f"{time}", time) for time in times]
        tally = never_accepted(lambda time, seen=remembered: judge(raw, which[0], time, seen), when, changes)
        assert tally.count == 2 * len(path)
