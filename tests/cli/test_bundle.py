"""Bundles: what was saved is what is loaded, and nothing in one chooses how it is judged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.cli.bundle import Bundle, Record, is_bundle, load, newest, save
from enarx.cli.vectors.intel import collateral as from_folder
from enarx.cli.vectors.intel_content import from_qvl
from enarx.codec import cbor, json
from enarx.errors import Malformed, Misused, Reason
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.production import production

SNP = Evidence(Kind.SNP, b"report")
TPM = Evidence(Kind.TPM, b"quote", {"signature": b"s"})
FIRST = Endorsements((b"vcek",), (b"crl",))
SECOND = Endorsements(intel=IntelCollateral(*(bytes([n]) for n in range(7))))
RECORD = Record(b"policy", datetime(2026, 1, 31, 12, tzinfo=UTC), "accepted", b"map")
RAW = save((SNP, TPM), (FIRST, SECOND), record=RECORD)


def test_what_was_saved_is_loaded() -> None:
    assert load(RAW) == Bundle((SNP, TPM), (FIRST, SECOND), RECORD)
    assert load(save((SNP,), (FIRST,), record=None)).record is None
    assert is_bundle(RAW)
    assert not is_bundle(b"report")


def test_the_same_content_is_the_same_file() -> None:
    assert save(*(load(RAW).members, load(RAW).endorsements), record=load(RAW).record) == RAW


def test_each_member_has_its_own_endorsements() -> None:
    with pytest.raises(Misused):
        save((SNP,), (), record=None)


def changed(**fields: Any) -> bytes:
    table = cbor2.loads(RAW) | fields
    return cbor.encode({name: value for name, value in table.items() if value is not None})


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.SYNTAX),
        (RAW + b"\0", Reason.TRAILING_BYTES),
        (cbor2.dumps(dict(reversed(cbor2.loads(RAW).items()))), Reason.NOT_CANONICAL),
        (cbor.encode([1]), Reason.UNKNOWN_KIND),
        (changed(type="other"), Reason.UNKNOWN_KIND),
        (changed(v=2), Reason.UNKNOWN_VERSION),
        (changed(v=True), Reason.UNKNOWN_VERSION),
        (changed(v=None), Reason.UNKNOWN_VERSION),
        (changed(evidence=None), Reason.MISSING),
        (changed(more=1), Reason.UNKNOWN_KEY),
        (changed(evidence="text"), Reason.WRONG_TYPE),
        (changed(endorsements=[]), Reason.INCONSISTENT),
        (changed(endorsements=[b"\xa0"]), Reason.INCONSISTENT),
        (changed(endorsements=[b"\xa0", 1]), Reason.WRONG_TYPE),
        (changed(endorsements=[b"\xa0", b"\xa1\x01\x02"]), Reason.UNKNOWN_KEY),
        (changed(record=[]), Reason.UNKNOWN_KEY),
        (changed(record={"policy": b"", "when": "2026-01-31T12:00:00Z", "verdict": ""}), Reason.UNKNOWN_KEY),
        (changed(record={"policy": b"", "when": "today", "verdict": "", "binding": b""}), Reason.SYNTAX),
        (changed(record={"policy": b"", "when": 1, "verdict": "", "binding": b""}), Reason.WRONG_TYPE),
        (
            changed(record={"policy": "", "when": "2026-01-31T12:00:00Z", "verdict": "", "binding": b""}),
            Reason.WRONG_TYPE,
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "bundle",
)
def test_a_bundle_of_another_shape_is_malformed(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as refused:
        load(raw)
    assert refused.value.reason is reason


def test_endorsements_of_all_suppliers_are_kept_once() -> None:
    merged = newest((FIRST, Endorsements((b"ask", b"vcek"), (b"newer",)), SECOND), anchors=production())
    assert merged == Endorsements((b"vcek", b"ask"), (b"crl", b"newer"), intel=SECOND.intel)


def collateral(evidence_dir: Path, name: str) -> IntelCollateral:
    raw = (evidence_dir / "azure-tdx-vtpm" / name / "qvl_collateral.json").read_bytes()
    return from_qvl(json.decode(raw, "collateral"))


def folders(evidence_dir: Path) -> list[IntelCollateral]:
    """Collateral of one platform before and after a TCB recovery."""
    vector = evidence_dir / "tdx" / "near-2025-08"
    files = {str(path.relative_to(vector)): path.read_bytes() for path in vector.rglob("*") if path.is_file()}
    return [from_folder(files, name) for name in sorted({path.rpartition("/")[0] for path in files} - {""})]


def test_the_highest_evaluation_number_wins_whoever_supplies_it(evidence_dir: Path) -> None:
    found = folders(evidence_dir)
    numbers = [json.decode(one.tcb_info, "t")["tcbInfo"]["tcbEvaluationDataNumber"] for one in found]
    assert len(set(numbers)) > 1
    each = [Endorsements(intel=one) for one in found]
    for order in (each, each[::-1]):
        chosen = newest(order, anchors=production()).intel
        assert json.decode(chosen.tcb_info, "t")["tcbInfo"]["tcbEvaluationDataNumber"] == max(numbers)


def test_collateral_of_another_platform_does_not_compete(evidence_dir: Path) -> None:
    found = [Endorsements(intel=collateral(evidence_dir, n)) for n in ("trustee-v0", "flashbots-akcert-2025-12")]
    for order in (found, found[::-1]):
        assert newest(order, anchors=production()) == order[0]


def test_collateral_that_is_not_genuine_wins_nothing(evidence_dir: Path) -> None:
    genuine = collateral(evidence_dir, "trustee-v0")
    forged = IntelCollateral(
        **{name: getattr(genuine, name) for name in genuine.__struct_fields__}
        | {"tcb_info": genuine.tcb_info.replace(b'"tcbEvaluationDataNumber":', b'"tcbEvaluationDataNumber":9')}
    )
    for order in ((genuine, forged), (forged, genuine)):
        assert newest([Endorsements(intel=one) for one in order], anchors=production()).intel == genuine


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_bytes_are_a_bundle_or_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        load(raw)
