"""Every field of [nitro], [nitrotpm], [tpm] and [azure] has evidence that it alone refuses."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import cbor2
import pytest

from enarx.appraisal.appraise import section_checks
from enarx.appraisal.azure import AzurePolicy
from enarx.appraisal.expectation import Section
from enarx.appraisal.nitro import NitroPolicy, NitroTpmPolicy
from enarx.appraisal.policy import load
from enarx.appraisal.tpm import TpmPolicy
from enarx.codec.x509 import Certificate
from enarx.errors import Misused
from enarx.evidence import cmw
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Check
from enarx.evidence.endorsement import decode

ROOT = Path(__file__).resolve().parents[2] / "vectors" / "policy"
SECTIONS: dict[str, type[Section]] = {
    "nitro": NitroPolicy,
    "nitrotpm": NitroTpmPolicy,
    "tpm": TpmPolicy,
    "azure": AzurePolicy,
}
FIELDS = [(technology, field) for technology, section in SECTIONS.items() for field in section.__struct_fields__]


def judged(technology: str, folder: str, policy: bytes, when: Any) -> tuple[Check, ...]:
    own, genuine = ROOT / technology / folder, ROOT / technology / "genuine"

    def read(name: str) -> bytes:
        return next(f for f in (own / name, genuine / name) if f.exists()).read_bytes()

    listed = cbor2.loads(read("anchors.cbor"))
    roots = {Vendor(name): tuple(Certificate(raw) for raw in raws) for name, raws in listed["roots"].items()}
    anchors = Anchors(SIMULATED, roots, tuple(listed["keys"]))
    (evidence,) = cmw.decode(read("evidence.bin"))
    claims = authenticate(evidence, decode(read("endorsements.cbor")), anchors=anchors, when=when)
    return section_checks(claims, load(policy, folder).policy, when=when)


def expectation(technology: str, field: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / technology / field / "expect.toml").read_text())


def text_of(technology: str, folder: str) -> str:
    return (ROOT / technology / folder / "policy.toml").read_text()


@pytest.mark.parametrize("technology", SECTIONS)
def test_every_field_has_a_vector_and_every_vector_a_field(technology: str) -> None:
    folders = {path.name for path in (ROOT / technology).iterdir() if path.is_dir()} - {"genuine"}
    assert folders == set(SECTIONS[technology].__struct_fields__)


@pytest.mark.parametrize("technology", SECTIONS)
def test_the_genuine_evidence_is_accepted_with_every_field_stated(technology: str) -> None:
    when = expectation(technology, "pcrs")["when"]
    found = judged(technology, "genuine", text_of(technology, "genuine").encode(), when)
    assert [c for c in found if c.says_no()] == []
    section = text_of(technology, "genuine").partition(f"[{technology}]")[2].partition("\n[")[0]
    assert "unchecked" not in section


@pytest.mark.parametrize(("technology", "field"), FIELDS)
def test_a_field_alone_refuses(technology: str, field: str) -> None:
    expected = expectation(technology, field)
    found = judged(technology, field, text_of(technology, field).encode(), expected["when"])
    refusals = [c for c in found if c.says_no()]
    assert {str(c.reason) for c in refusals} == {expected["reason"]}
    assert all(f"{c.source}.".startswith(f"policy: {technology}.{field}.") for c in refusals)


@pytest.mark.parametrize(("technology", "field"), FIELDS)
def test_leaving_that_field_open_or_empty_accepts_the_same_evidence(technology: str, field: str) -> None:
    head, section, tail = text_of(technology, field).partition(f"[{technology}]")
    own, more, rest = tail.partition("\n[")
    opened = "{}" if field.endswith("_blacklist") else '"unchecked"'
    lines = [f"{field} = {opened}" if line.startswith(f"{field} = ") else line for line in own.splitlines()]
    policy = head + section + "\n".join(lines) + more + rest
    found = judged(technology, field, policy.encode(), expectation(technology, field)["when"])
    assert [c for c in found if c.says_no()] == []


@pytest.mark.parametrize(("technology", "field"), FIELDS)
def test_no_field_may_be_left_out(technology: str, field: str) -> None:
    lines = text_of(technology, "genuine").splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"{field} = "))
    with pytest.raises(Misused):
        load("\n".join(lines[:at] + lines[at + 1 :]).encode(), "without")


@pytest.mark.parametrize(
    ("technology", "field", "value"),
    [
        ("tpm", "pcrs", '{ sha1 = { 0 = ["00"] } }'),
        ("nitro", "pcrs", '{ 32 = ["00"] }'),
        ("nitro", "pcrs", '{ x = ["00"] }'),
        ("nitro", "max_age", '"soon"'),
        ("tpm", "authorities", '["amd"]'),
    ],
)
def test_a_value_that_means_nothing_does_not_load(technology: str, field: str, value: str) -> None:
    lines = text_of(technology, "genuine").splitlines()
    changed = [f"{field} = {value}" if line.startswith(f"{field} = ") else line for line in lines]
    with pytest.raises(Misused):
        load("\n".join(changed).encode(), "changed")


@pytest.mark.parametrize("technology", SECTIONS)
def test_an_empty_table_of_registers_accepts_nothing(technology: str) -> None:
    lines = [
        "pcrs = {}" if line.startswith("pcrs = ") else line for line in text_of(technology, "genuine").splitlines()
    ]
    found = judged(technology, "genuine", "\n".join(lines).encode(), expectation(technology, "pcrs")["when"])
    assert {str(c.reason) for c in found if c.says_no()} == {"measurement-not-accepted"}


@pytest.mark.parametrize("technology", SECTIONS)
def test_a_denied_value_of_a_register_that_is_not_shown_is_undetermined(technology: str) -> None:
    table = '{ 31 = ["00"] }' if technology.startswith("nitro") else '{ sha384 = { 4 = ["00"] } }'
    lines = [
        f"pcrs_blacklist = {table}" if line.startswith("pcrs_blacklist = ") else line
        for line in text_of(technology, "genuine").splitlines()
    ]
    found = judged(technology, "genuine", "\n".join(lines).encode(), expectation(technology, "pcrs")["when"])
    assert [(str(c.verdict), str(c.reason)) for c in found if c.says_no()] == [("undetermined", "boot-not-measured")]
