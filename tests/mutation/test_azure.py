"""Genuine Azure machines, changed: nothing of them is accepted any more."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.cli.vectors.intel_content import from_qvl
from enarx.codec.x509 import from_pem
from enarx.evidence import azure
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.production import production
from tests.mutation.mutate import bit_flips, byte_flips, never_accepted, total, truncations

pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be")

SNP, TDX = ("azure-snp-vtpm", "trustee-genoa"), ("azure-tdx-vtpm", "flashbots-akcert-2025-12")
AT = 0x20
UNSIGNED = {SNP: (), TDX: ((AT + 2, AT + 3), (AT + 16, AT + 32), (AT + 224, AT + 256))}
"""Of a TDREPORT: its version, CPUSVN and its MAC, which only the processor itself could check."""


class Capture(msgspec.Struct, frozen=True):
    """A machine with everything that vouches for it."""

    evidence: Evidence
    endorsements: Endorsements
    when: datetime


def capture(evidence_dir: Path, which: tuple[str, str]) -> Capture:
    folder = evidence_dir / which[0] / which[1]
    when = datetime.fromisoformat(json.loads((folder / "vector.json").read_text())["cases"][0]["when"])
    files = {
        "quote": "tpm_quote.msg",
        "signature": "tpm_quote.sig",
        "pcrs": "pcrs_sha256.txt",
        "td_quote": "td_quote.bin",
    }
    parts = {part: (folder / name).read_bytes() for part, name in files.items() if (folder / name).exists()}
    if chain := sorted(folder.glob("ak_chain*.pem")):
        parts["ak_certificates"] = b"".join(path.read_bytes() for path in chain)
    amd = [one.raw for name in ("ask.pem", "ark.pem") if (folder / name).exists()
           for one in from_pem((folder / name).read_bytes(), name)]  # fmt: skip
    if (folder / "vcek.der").exists():
        amd.append((folder / "vcek.der").read_bytes())
    collateral = folder / "qvl_collateral.json"
    intel = from_qvl(json.loads(collateral.read_text())) if collateral.exists() else None
    evidence = Evidence(Kind(which[0]), (folder / "hcl_report.bin").read_bytes(), parts)
    return Capture(evidence, Endorsements(tuple(amd), intel=intel), when)


def judge(taken: Capture, evidence: Evidence, memory: Memory[Any] | None = None, **more: Any) -> azure.AzureClaims:
    endorsements, when = more.get("endorsements", taken.endorsements), more.get("when", taken.when)
    return azure.judge(evidence, endorsements, anchors=production(), when=when, memory=memory)


def with_part(evidence: Evidence, name: str, raw: bytes) -> Evidence:
    return Evidence(evidence.kind, evidence.body, {**evidence.parts, name: raw})


@pytest.mark.slow
@pytest.mark.parametrize("which", [SNP, TDX], ids=lambda which: which[1])
def test_every_bit_of_an_hcl_report_counts(evidence_dir: Path, which: tuple[str, str]) -> None:
    taken = capture(evidence_dir, which)
    memory: Memory[Any] = Memory()
    body = taken.evidence.body

    def judged(raw: bytes) -> object:
        return judge(taken, Evidence(taken.evidence.kind, raw, taken.evidence.parts), memory)

    flips = bit_flips(body, ignored=UNSIGNED[which])
    tally = total(never_accepted(judged, body, flips), never_accepted(judged, body, truncations(body[:2000], step=50)))
    print(f"{which[1]}: {tally.count} changes of the HCL report, slowest {tally.slowest:.1f} of the genuine one")


@pytest.mark.parametrize("which", [SNP, TDX], ids=lambda which: which[1])
@pytest.mark.parametrize("part", ["quote", "signature", "pcrs", "td_quote", "ak_certificates"])
def test_every_byte_of_every_part_counts(evidence_dir: Path, which: tuple[str, str], part: str) -> None:
    taken = capture(evidence_dir, which)
    if part not in taken.evidence.parts:
        return
    memory: Memory[Any] = Memory()
    raw = taken.evidence.parts[part]
    signed = {"td_quote": 4096, "ak_certificates": raw.find(b"-----END")}.get(part, len(raw))

    def judged(one: bytes) -> object:
        return judge(taken, with_part(taken.evidence, part, one), memory)

    changes = [
        change
        for change in byte_flips(raw[:signed] if part == "td_quote" else raw)
        if change[1].split() != raw.split() and not _same_text(part, change[1], raw)
    ]
    if part in {"td_quote", "ak_certificates"}:
        changes = [(name, one[:signed] + raw[signed:]) for name, one in changes if one[:signed] != raw[:signed]]
    tally = never_accepted(judged, raw, changes)
    print(f"{which[1]} {part}: {tally.count} changes, slowest {tally.slowest:.1f} of the genuine one")


def _same_text(part: str, one: bytes, raw: bytes) -> bool:
    """Hexadecimal in another case, and PEM around the base64, say the same."""
    if part == "pcrs":
        return one.lower() == raw.lower()
    return part == "ak_certificates" and one.partition(b"-----BEGIN")[1:] == raw.partition(b"-----BEGIN")[1:]


def test_the_processors_certificate_of_another_genuine_machine_does_not_help(evidence_dir: Path) -> None:
    taken, other = capture(evidence_dir, SNP), capture(evidence_dir, ("azure-snp-vtpm", "trustee-v1-milan"))
    *issuers, _ = taken.endorsements.certificates
    changes = [("exchanged", Endorsements((*issuers, foreign))) for foreign in other.endorsements.certificates]
    changes.append(("none", Endorsements(tuple(issuers))))
    tally = never_accepted(lambda e: judge(taken, taken.evidence, endorsements=e), taken.endorsements, changes)
    assert tally.count == 4


def test_the_keys_certificate_of_another_genuine_machine_does_not_help(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, TDX)
    other = evidence_dir / "azure-snp-vtpm" / "signal-svr2-akcert-2023"
    foreign = b"".join(path.read_bytes() for path in sorted(other.glob("ak_chain*.pem")))
    changed = with_part(taken.evidence, "ak_certificates", foreign)
    assert never_accepted(lambda e: judge(taken, e), taken.evidence, [("exchanged", changed)]).count == 1


@pytest.mark.parametrize("part", ["quote", "signature", "pcrs", "body"])
def test_parts_of_another_genuine_machine_do_not_help(evidence_dir: Path, part: str) -> None:
    taken, other = capture(evidence_dir, SNP), capture(evidence_dir, ("azure-snp-vtpm", "trustee-v1-milan"))
    if part == "body":
        changed = Evidence(taken.evidence.kind, other.evidence.body, taken.evidence.parts)
    else:
        changed = with_part(taken.evidence, part, other.evidence.parts[part])
    assert never_accepted(lambda e: judge(taken, e), taken.evidence, [("another's", changed)]).count == 1


@pytest.mark.parametrize("which", [SNP, TDX], ids=lambda which: which[1])
def test_before_and_after_the_window_nothing_is_accepted(evidence_dir: Path, which: tuple[str, str]) -> None:
    taken = capture(evidence_dir, which)
    window = judge(taken, taken.evidence).window
    assert window is not None
    second = timedelta(seconds=1)
    changes = [("before", window.not_before - second), ("after", window.not_after + second)]
    assert never_accepted(lambda t: judge(taken, taken.evidence, when=t), taken.when, changes).count == 2
