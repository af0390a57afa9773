"""Captures of AWS, TPMs, Azure and boot logs: each agrees with its descriptor, however its files are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from enarx.cli.vectors.tpm_files import beside
from enarx.cli.vectors.verdicts import judged

COUNTS = {"nitro": 23, "nitrotpm": 2, "tpm": 4, "azure-snp-vtpm": 6, "azure-tdx-vtpm": 5, "tdx-eventlog": 2}


@pytest.mark.parametrize("kind", COUNTS)
def test_every_capture_agrees_with_its_descriptor(evidence_dir: Path, kind: str) -> None:
    paths = sorted((evidence_dir / kind).glob("*/vector.json"))
    lines = [line for path in paths for line in judged(path)]
    assert [line.text() for line in lines if not line.ok] == []
    assert len(paths) >= COUNTS[kind]


def copied(source: Path, to: Path, change: Callable[[Path, dict[str, object]], None]) -> Path:
    """A capture in another folder, changed there."""
    to.mkdir()
    for path in source.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    descriptor = json.loads((to / "vector.json").read_text())
    change(to, descriptor)
    descriptor["files"] = sorted(path.name for path in to.iterdir() if path.name != "vector.json")
    (to / "vector.json").write_text(json.dumps(descriptor))
    return to / "vector.json"


def renamed(**names: str) -> Callable[[Path, dict[str, object]], None]:
    def change(folder: Path, descriptor: dict[str, object]) -> None:
        for old, new in names.items():
            (folder / old.replace("__", ".")).rename(folder / new)

    return change


def one_chain(folder: Path, descriptor: dict[str, object]) -> None:
    """Three DER files become one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    parts = sorted(folder.glob("ak_chain_*.der"))
    pem = b"".join(x509.load_der_x509_certificate(p.read_bytes()).public_bytes(Encoding.PEM) for p in parts)
    for path in parts:
        path.unlink()
    (folder / "ak_chain.pem").write_bytes(pem)


def tampered(folder: Path, descriptor: dict[str, object]) -> None:
    path = folder / "tpm_quote.msg"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    cases = descriptor["cases"]
    assert isinstance(cases, list)
    cases[0] |= {"verdict": "refused", "families": ["unauthentic"]}


def other_bank(folder: Path, descriptor: dict[str, object]) -> None:
    """Register values as tpm2_pcrread prints them."""
    lines = (folder / "pcrs_sha256.txt").read_text().split()
    (folder / "pcrs_sha256.txt").unlink()
    text = "sha256:\n" + "".join(f"  {index:<2}: 0x{line.upper()}\n" for index, line in enumerate(lines))
    (folder / "pcrs.yaml").write_text(text)


@pytest.mark.parametrize(
    ("capture", "change"),
    [
        ("tpm/automata-p256-quote", one_chain),
        ("tpm/automata-p256-quote", renamed(sig__tpmt_signature="signature.bin")),
        ("tpm/vaportpm-gcp-amd-2026", renamed(ak_public__pem="ak_pub.pem", pcrs__json="pcrs_sha256.json")),
        ("azure-snp-vtpm/trustee-genoa", renamed(tpm_quote__msg="quote.msg", tpm_quote__sig="quote.sig")),
        ("azure-snp-vtpm/trustee-genoa", other_bank),
        ("azure-snp-vtpm/trustee-genoa", tampered),
        ("azure-tdx-vtpm/trustee-v1", renamed(td_quote__bin="tdx_quote.bin")),
        ("tdx-eventlog/gotdx-cos113", renamed(ccel__bin="eventlog.bin")),
    ],
)
def test_a_capture_whose_files_have_other_names_or_forms_agrees_too(
    evidence_dir: Path, tmp_path: Path, capture: str, change: Callable[[Path, dict[str, object]], None]
) -> None:
    path = copied(evidence_dir / capture, tmp_path / "capture", change)
    assert [line.text() for line in judged(path) if not line.ok] == []


def test_containers_as_they_were_published_are_left_alone() -> None:
    found = beside({"quote": b"", "dump.json": b"{}", "evidence_as_published.json": b"{}"}, leave_out="quote")
    assert found.files == {}
