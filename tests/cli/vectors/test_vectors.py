"""`enarx vectors`: every capture agrees, and nothing that is wrong with a vector goes unseen."""

from __future__ import annotations

import json
import sys
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from enarx.cli.main import main
from enarx.cli.vectors.descriptor import Outcome
from enarx.cli.vectors.verdicts import JUDGES, judged
from enarx.errors import Reason, Unauthentic
from enarx.platform.simulated.snp import SimulatedAmd, SimulatedSnp

WHEN = datetime(2026, 6, 1, tzinfo=UTC)
AMD = SimulatedAmd.made(WHEN)
CHIP = SimulatedSnp.made(WHEN, amd=AMD)
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be")


def written(folder: Path, name: str = "one", *, files: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """A vector of a simulated chip below `folder`, changed as asked; None leaves a key out."""
    home = folder / "snp" / name
    home.mkdir(parents=True)
    leaf, ask, ark = CHIP.certificates
    found = {"report.bin": CHIP.report(b"x"), "vcek.der": leaf, "ask.der": ask, "root.der": ark, **(files or {})}
    for file, raw in found.items():
        (home / file).write_bytes(raw)
    descriptor: dict[str, Any] = {
        "kind": "snp",
        "name": name,
        "evidence": "report.bin",
        "files": sorted(found),
        "cases": [{"when": WHEN.isoformat(), "verdict": "authentic", "anchors": "root.der", "debug": False,
                   "product": "Milan", "signing_key": "VCEK"}],
        "claims": {"version": 3, "vmpl": 0, "report_data": (b"x").ljust(64, b"\0").hex()},
        **changes,
    }  # fmt: skip
    descriptor["files"] = descriptor.pop("listed", descriptor["files"])
    descriptor = {key: value for key, value in descriptor.items() if value is not None}
    (home / "vector.json").write_text(json.dumps(descriptor))
    return home


def run(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str]]:
    code = main(["vectors", str(folder), *more])
    return code, capsys.readouterr().out.splitlines()


def case(**changes: Any) -> list[dict[str, Any]]:
    usual = {"when": WHEN.isoformat(), "verdict": "authentic", "anchors": "root.der"}
    return [{key: value for key, value in {**usual, **changes}.items() if value is not None}]


@pytest.mark.parametrize("kind", sorted(JUDGES))
def test_every_capture_agrees(evidence_dir: Path, kind: str) -> None:
    lines = [
        line
        for path in sorted((evidence_dir).rglob("vector.json"))
        if json.loads(path.read_bytes())["kind"] == kind
        for line in judged(path)
    ]
    assert lines
    assert [line.text() for line in lines if not line.ok] == []


def test_a_vector_that_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    assert run(tmp_path, capsys) == (
        0, ["ok snp/one[0] expected authentic, got authentic", "1 vectors, 1 cases, 0 mismatched"]
    )  # fmt: skip


def test_vectors_are_found_at_any_depth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "a" / "b", "first")
    home = written(tmp_path, "second")
    assert run(tmp_path, capsys)[1][-1] == "2 vectors, 2 cases, 0 mismatched"
    assert run(home, capsys)[1][-1] == "1 vectors, 1 cases, 0 mismatched"


def test_no_vectors_at_all_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, capsys) == (1, ["0 vectors, 0 cases, 0 mismatched"])


def test_what_is_no_folder_is_asked_wrongly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none", capsys) == (2, [])


def test_json_has_one_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    written(tmp_path, "wrong", claims={"version": 2})
    code, lines = run(tmp_path, capsys, "--json")
    first, second, last = (json.loads(line) for line in lines)
    assert (code, first["ok"], second["ok"]) == (1, True, False)
    assert second["case"] == "snp/wrong[0]"
    assert last == {"vectors": 2, "cases": 2, "mismatched": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {"version": 2}},
        {"claims": {"version": True}},
        {"claims": {"no_such_claim": 1}},
        {"claims": {"report_data": "00"}},
        {"cases": case(debug=True)},
        {"cases": case(product="Genoa")},
        {"cases": case(signing_key="VLEK")},
        {"cases": case(tcb={"platform": "UpToDate"})},
        {"cases": case(verdict="refused", families=["unauthentic"])},
        {"cases": case(verdict="replay")},
        {"cases": case(verdict="no such verdict")},
        {"cases": case(anchors=None)},
        {"cases": case(unknown=1)},
        {"cases": case(when="yesterday")},
        {"cases": case(when="1999-01-01T00:00:00Z")},
        {"cases": []},
        {"cases": None},
        {"kind": "other"},
        {"unknown": 1},
        {"listed": ["missing.bin"]},
        {"evidence": "missing.bin"},
        {"listed": ["report.bin"]},
        {"listed": "report.bin"},
    ],
)
def test_what_differs_is_a_mismatch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    written(tmp_path, **changes)
    code, (line, last) = run(tmp_path, capsys)
    assert line.startswith("MISMATCH snp/one") or changes.get("kind") == "other"
    assert (code, last) == (1, "1 vectors, 1 cases, 1 mismatched")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"null", b'{"kind":1}', b"[" * 100_000])
def test_a_broken_descriptor_is_a_line_and_not_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes
) -> None:
    (written(tmp_path) / "vector.json").write_bytes(raw)
    written(tmp_path, "whole")
    code, lines = run(tmp_path, capsys)
    assert code == 1
    assert [line.split()[0] for line in lines] == ["MISMATCH", "ok", "2"]


@pytest.mark.parametrize(
    ("files", "families"),
    [
        ({"report.bin": CHIP.report(b"x")[:-1]}, ["malformed"]),
        (
            {"report.bin": CHIP.report(b"x", measurement=b"\1" * 48)[:0x2A0] + CHIP.report(b"x")[0x2A0:]},
            ["unauthentic"],
        ),
        ({"ask.der": b"no certificate"}, ["malformed"]),
        ({"ask.pem": b"-----BEGIN CERTIFICATE-----\nAAAA"}, ["malformed"]),
        ({"crl.der": AMD.crl(WHEN, WHEN, revoked=(AMD.ask.certificate.serial_number,))}, ["unauthentic"]),
        ({"vcek.der": SimulatedSnp.made(WHEN, amd=AMD).certificates[0]}, ["unauthentic"]),
    ],
)
def test_refusals_are_expected_by_family(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, bytes], families: list[str]
) -> None:
    written(tmp_path, files=files, cases=case(verdict="refused", families=families), claims={})
    assert run(tmp_path, capsys)[0] == 0


def test_a_debug_guest_is_authentic_and_refused_by_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"report.bin": CHIP.report(b"x", policy=0xB0000)}
    written(tmp_path, files=files, cases=case(debug=True), claims={"policy": 0xB0000})
    assert run(tmp_path, capsys)[1][0] == "ok snp/one[0] expected authentic with debug, got authentic with debug"


def test_a_case_without_a_time_is_judged_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = written(tmp_path, cases=[{"when": None, "verdict": "refused", "families": ["undetermined"]}], claims={})
    descriptor = json.loads((home / "vector.json").read_text())
    descriptor["files"] = ["report.bin"]
    (home / "vector.json").write_text(json.dumps(descriptor))
    assert run(tmp_path, capsys)[0] == 0


@pytest.mark.parametrize("named", ["ask.der", "other"])
def test_a_certificate_alone_is_judged_under_what_lies_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    evidence = "vcek.der" if named == "other" else "ask.der"
    written(tmp_path, kind="snp-certificate", evidence=evidence, claims={}, cases=case())
    assert run(tmp_path, capsys)[0] == 0


def test_the_case_is_judged_again_without_the_trusted_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(_vector: Any, case: Any, _files: Any, *, production: Any) -> Outcome:
        if case.trusted_key is None:
            raise Unauthentic(Reason.UNKNOWN_ANCHOR, "no key")
        return Outcome(verdict="authentic")

    module = types.ModuleType("enarx.cli.vectors.amd")
    module.judge = judge  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "enarx.cli.vectors.amd", module)
    key = {"file": "root.der", "role": "CPAK", "without": "unauthentic"}
    for at, (without, ok) in enumerate((("unauthentic", True), ("undetermined", False))):
        home = written(tmp_path, f"v{at}", cases=case(trusted_key={**key, "without": without}), claims={})
        (line,) = judged(home / "vector.json")
        assert line.ok is ok


def test_a_judge_that_crashes_is_a_mismatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("enarx.cli.vectors.amd")
    monkeypatch.setitem(sys.modules, "enarx.cli.vectors.amd", module)
    (line,) = judged(written(tmp_path) / "vector.json")
    assert (line.ok, "crashed" in line.got) == (False, True)


def test_pem_and_der_are_told_apart_by_content(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    chain = b"".join(one.certificate.public_bytes(Encoding.PEM) for one in (AMD.ask, AMD.ark))
    files = {"ask.der": chain, "root.der": AMD.ark.certificate.public_bytes(Encoding.PEM)}
    written(tmp_path, files=files)
    assert run(tmp_path, capsys)[0] == 0
