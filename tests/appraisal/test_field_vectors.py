# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import cbor2
import pytest

from enarx.appraisal.appraise import section_checks
from enarx.appraisal.cca import CcaPolicy, PsaPolicy
from enarx.appraisal.expectation import Section
from enarx.appraisal.nvidia import NvidiaGpuPolicy, NvidiaSwitchPolicy
from enarx.appraisal.policy import load
from enarx.appraisal.sgx import SgxPolicy
from enarx.appraisal.snp import SnpPolicy
from enarx.appraisal.tdx import TdxPolicy
from enarx.codec.x509 import Certificate
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Check
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import decode
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind

ROOT = Path(__file__).resolve().parents[2] / "vectors" / "policy"
SECTIONS: dict[str, type[Section]] = {
    "snp": SnpPolicy,
    "sgx": SgxPolicy,
    "tdx": TdxPolicy,
    "cca": CcaPolicy,
    "psa": PsaPolicy,
    "nvidia-gpu": NvidiaGpuPolicy,
    "nvidia-switch": NvidiaSwitchPolicy,
}
FIELDS = [(technology, field) for technology, section in SECTIONS.items() for field in section.__struct_fields__]


def claims_of(technology: str, policy: str, when: Any) -> Claims:
    folder, genuine = ROOT / technology / policy, ROOT / technology / "genuine"

    def read(name: str) -> bytes:
        return next(f for f in (folder / name, genuine / name) if f.exists()).read_bytes()

    listed = cbor2.loads(read("anchors.cbor"))
    roots = {Vendor(name): tuple(Certificate(raw) for raw in raws) for name, raws in listed["roots"].items()}
    anchors = Anchors(SIMULATED, roots, tuple(listed["keys"]))
    parts = cbor2.loads(read("parts.cbor")) if (genuine / "parts.cbor").exists() else {}
    evidence = Evidence(Kind(technology), read("evidence.bin"), parts)
    return authenticate(evidence, decode(read("endorsements.cbor")), anchors=anchors, when=when)


def checks(technology: str, policy: str, when: Any) -> tuple[Check, ...]:
    loaded = load((ROOT / technology / policy / "policy.toml").read_bytes(), policy)
    return section_checks(claims_of(technology, policy, when), loaded.policy, when=when)


def expectation(technology: str, field: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / technology / field / "expect.toml").read_text())


@pytest.mark.parametrize("technology", SECTIONS)
def test_every_field_has_a_vector_and_every_vector_a_field(technology: str) -> None:
    folders = {path.name for path in (ROOT / technology).iterdir() if path.is_dir()} - {"genuine"}
    assert set(SECTIONS[technology].__struct_fields__) == folders


@pytest.mark.parametrize("technology", SECTIONS)
def test_the_genuine_evidence_is_accepted_with_every_field_stated(technology: str) -> None:
    when = expectation(technology, "debug")["when"]
    found = checks(technology, "genuine", when)
    assert [c for c in found if c.says_no()] == []
    text = (ROOT / technology / "genuine" / "policy.toml").read_text()
    assert "unchecked" not in text.partition(f"[{technology}]")[2]


@pytest.mark.parametrize(("technology", "field"), FIELDS)
def test_a_field_alone_refuses(technology: str, field: str) -> None:
    expected = expectation(technology, field)
    refusals = [c for c in checks(technology, field, expected["when"]) if c.says_no()]
    assert {(expected["reason"], f"policy: {technology}.{field}")} == {(str(c.reason), c.source) for c in refusals}


@pytest.mark.parametrize(("technology", "field"), FIELDS)
def test_leaving_that_field_open_or_empty_accepts_the_same_evidence(technology: str, field: str) -> None:
    expected = expectation(technology, field)
    text = (ROOT / technology / field / "policy.toml").read_text()
    lines = [f"{field} = {_open(field)}" if line.startswith(f"{field} = ") else line for line in text.splitlines()]
    opened = load("\n".join(lines).encode(), "opened").policy
    found = section_checks(claims_of(technology, field, expected["when"]), opened, when=expected["when"])
    assert [c for c in found if c.says_no()] == []


def _open(field: str) -> str:
    return "[]" if field.endswith("_blacklist") else '"unchecked"'
