"""Acceptance is a value that only an appraisal without refusals gives."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enarx.appraisal.expectation import among, at_least, holds, not_among
from enarx.appraisal.result import Accepted, Appraisal
from enarx.errors import Reason, Unacceptable, Undetermined
from enarx.evidence.check import Check, Verdict

SOURCE = Path(__file__).resolve().parents[2] / "src" / "enarx"
PASSED = Check("a", Verdict.PASSED)
OPEN = Check("b", Verdict.UNCHECKED)
NOTED = Check("c", Verdict.NOTED, Reason.SIMULATED)
FAILED = Check("d", Verdict.FAILED, Reason.VMPL, 3, 0, "policy: snp.vmpl", "run it at vmpl 0")
UNKNOWN = Check("e", Verdict.UNDETERMINED, Reason.REVOCATION_UNCHECKED)


def appraisal(*checks: Check) -> Appraisal:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    return Appraisal(members=(), checks=checks, policy="p", policy_digest=bytes(32), when=when)


def test_only_an_appraisal_makes_an_acceptance() -> None:
    makers = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) == "Accepted" or getattr(node.func, "attr", None) == "Accepted")
    }
    assert makers == {"appraisal/result.py"}


def test_what_is_open_or_noted_is_no_refusal() -> None:
    assert appraisal(PASSED, OPEN, NOTED).accepted() == Accepted(appraisal(PASSED, OPEN, NOTED))


def test_a_failure_is_unacceptable_and_goes_before_what_is_undetermined() -> None:
    with pytest.raises(Unacceptable) as caught:
        appraisal(UNKNOWN, PASSED, FAILED).accepted()
    assert (caught.value.reason, caught.value.hint) == (Reason.VMPL, "run it at vmpl 0")
    assert caught.value.checks == (UNKNOWN, PASSED, FAILED)
    with pytest.raises(Undetermined) as caught_too:
        appraisal(PASSED, UNKNOWN).accepted()
    assert caught_too.value.reason is Reason.REVOCATION_UNCHECKED


def test_findings_are_what_has_a_reason_or_was_left_open() -> None:
    assert appraisal(PASSED, OPEN, NOTED, FAILED).findings() == (OPEN, NOTED, FAILED)


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (among("x", b"\1", frozenset({"01"}), reason=Reason.VMPL, source="s"), Verdict.PASSED),
        (among("x", b"\1", frozenset(), reason=Reason.VMPL, source="s"), Verdict.FAILED),
        (among("x", b"\1", frozenset({"02", "03", "04", "05"}), reason=Reason.VMPL, source="s"), Verdict.FAILED),
        (among("x", b"\1", "unchecked", reason=Reason.VMPL, source="s"), Verdict.UNCHECKED),
        (not_among("x", b"\1", frozenset({"01"}), reason=Reason.VMPL, source="s"), Verdict.FAILED),
        (not_among("x", b"\1", frozenset(), reason=Reason.VMPL, source="s"), Verdict.PASSED),
        (at_least("x", 1, 1, reason=Reason.VMPL, source="s"), Verdict.PASSED),
        (at_least("x", 0, 1, reason=Reason.VMPL, source="s"), Verdict.FAILED),
        (at_least("x", 0, "unchecked", reason=Reason.VMPL, source="s"), Verdict.UNCHECKED),
        (holds("x", 0, "unchecked", lambda: False, reason=Reason.VMPL, source="s"), Verdict.UNCHECKED),
        (holds("x", 0, 0, lambda: True, reason=Reason.VMPL, source="s"), Verdict.PASSED),
        (holds("x", 0, 0, lambda: False, reason=Reason.VMPL, source="s"), Verdict.FAILED),
    ],
)
def test_expectations(check: Check, verdict: Verdict) -> None:
    assert check.verdict is verdict
    assert (check.reason is Reason.VMPL) == (verdict is Verdict.FAILED)
