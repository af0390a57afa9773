# SPDX-License-Identifier: Apache-2.0
"""A judgement as people and programs read it: the tree of checks, or the same in JSON."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import msgspec

from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import NOTHING, Expected
from enarx.errors import EnarxError, Reason, Unacceptable, Undetermined
from enarx.evidence.check import Check, Verdict, shown
from enarx.evidence.kind import boot_of

_MARKS = {
    Verdict.PASSED: ("ok", "green"),
    Verdict.FAILED: ("NO", "bold red"),
    Verdict.UNCHECKED: ("open", "yellow"),
    Verdict.UNDETERMINED: ("??", "bold yellow"),
    Verdict.NOTED: ("note", "cyan"),
}
_LONG = 144
"""Longer facts are cut on a terminal; JSON has them whole."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What came of judging one target.

    target   what was judged, as typed
    refusal  why not, or None: accepted
    groups   titles with their checks, in the order in which they were made
    claims   the authenticated claims of each member
    when     the time of judging; `past` when the verifier gave it
    marks    words that must not be overlooked: "simulated", "input: host", "as of TIME, not now"
    appraisal, expected  what the judgement is of; None when authentication ended early
    """

    target: str
    refusal: EnarxError | None
    groups: tuple[tuple[str, tuple[Check, ...]], ...]
    claims: tuple[dict[str, Any], ...]
    when: datetime
    past: bool
    marks: tuple[str, ...] = ()
    details: dict[str, Any] = {}
    appraisal: Appraisal | None = None
    expected: Expected = NOTHING

    def verdict(self) -> str:
        """Either `accepted`, or the family of the refusal."""
        return "accepted" if self.refusal is None else self.refusal.family


def of_appraisal(target: str, appraisal: Appraisal, expected: Expected, **more: Any) -> Judgement:
    """The judgement that an appraisal amounts to."""
    groups: list[tuple[str, tuple[Check, ...]]] = []
    for member in appraisal.members:
        groups.append((f"{member.claims.kind} evidence is authentic", member.claims.checks))
        groups.append((f"{member.claims.kind} evidence is acceptable", member.checks))
    groups.append(("the whole is acceptable", appraisal.checks))
    if boot := boot_of(member.claims.kind for member in appraisal.members):
        more["marks"] = (*more.get("marks", ()), "technology: none", f"boot: {boot}")
    try:
        appraisal.accepted()
        refusal = None
    except EnarxError as error:
        refusal = error
    return Judgement(
        target=target,
        refusal=refusal,
        groups=tuple(groups),
        claims=tuple(
            {"kind": str(m.claims.kind), "anchors": m.claims.anchors, **m.claims.facts()} for m in appraisal.members
        ),
        when=appraisal.when,
        past=appraisal.past,
        appraisal=appraisal,
        expected=expected,
        **more,
    )


def refused_by(
    judgement: Judgement, groups: tuple[tuple[str, tuple[Check, ...]], ...], checks: tuple[Check, ...]
) -> Judgement:
    """The judgement with more groups; `checks` among them refuse it where nothing did before."""
    refusal = judgement.refusal
    said_no = next((check for check in checks if check.says_no()), None)
    if refusal is None and said_no is not None:
        family = Undetermined if said_no.verdict is Verdict.UNDETERMINED else Unacceptable
        refusal = family(said_no.reason or Reason.NOT_ALLOWED, said_no.name, hint=said_no.mend)
    return msgspec.structs.replace(judgement, groups=groups, refusal=refusal)


def of_error(target: str, error: EnarxError, *, when: datetime, past: bool) -> Judgement:
    """The judgement when authentication ended early: the checks up to the one that failed."""
    checks = tuple(check for check in error.checks if isinstance(check, Check))
    groups = (("evidence is authentic", checks),) if checks else ()
    return Judgement(target=target, refusal=error, groups=groups, claims=(), when=when, past=past)


def show(judgement: Judgement, *, as_json: bool) -> None:
    """Print it to standard output."""
    if as_json:
        sys.stdout.write(json.dumps(_plain(judgement), indent=2) + "\n")
    else:
        _draw(judgement)


def _plain(judgement: Judgement) -> dict[str, Any]:
    refusal = judgement.refusal
    return {
        "target": judgement.target,
        "verdict": judgement.verdict(),
        "reason": str(refusal.reason) if refusal else None,
        "subject": refusal.subject if refusal else None,
        "hint": refusal.hint if refusal else None,
        "when": judgement.when.isoformat(),
        "as_of_past": judgement.past,
        "marks": list(judgement.marks),
        "claims": list(judgement.claims),
        **judgement.details,
        "checks": [
            {
                "group": title,
                "name": check.name,
                "verdict": str(check.verdict),
                "reason": str(check.reason) if check.reason else None,
                "fact": shown(check.fact),
                "expectation": shown(check.expectation),
                "source": check.source,
                "mend": check.mend,
            }
            for title, checks in judgement.groups
            for check in checks
        ],
    }


def _draw(judgement: Judgement) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False, markup=False)
    refusal = judgement.refusal
    style = "bold green" if refusal is None else "bold red"
    said = judgement.verdict() if refusal is None else f"{judgement.verdict()}: {refusal}"
    console.print(Text.assemble(judgement.target, "  ", (_printable(said), style)))
    marks = [*judgement.marks, *([f"as of {judgement.when:%Y-%m-%dT%H:%M:%SZ}, not now"] if judgement.past else [])]
    branches: list[tuple[Any, list[Any]]] = [(Text(mark, style="bold yellow"), []) for mark in marks]
    branches += [(Text(title), [_line(check) for check in checks]) for title, checks in judgement.groups]
    for at, (title, lines) in enumerate(branches):
        last = at == len(branches) - 1
        console.print(Text("└── " if last else "├── ") + title)
        for number, line in enumerate(lines):
            corner = "└── " if number == len(lines) - 1 else "├── "
            console.print(Text(("    " if last else "│   ") + corner) + line)
    if refusal is not None and refusal.hint:
        console.print(Text(f"mend: {_printable(refusal.hint)}", style="yellow"))


def _line(check: Check) -> Any:
    from rich.text import Text

    mark, style = _MARKS[check.verdict]
    text = Text.assemble((f"{mark:<4}", style), " ", check.name)
    if check.fact != "":
        text.append(f": {_short(shown(check.fact))}")
    if check.expectation != "" and check.verdict is not Verdict.PASSED:
        text.append(f"  expected {_short(shown(check.expectation))}")
    if check.reason is not None:
        text.append(f"  [{check.reason}]")
    if check.source:
        text.append(f"  ({check.source})", style="dim")
    if check.mend and check.says_no():
        text.append(f"  mend: {check.mend}", style="yellow")
    return text


def _short(text: str) -> str:
    printable = _printable(text)
    return printable if len(printable) <= _LONG else printable[:_LONG] + "…"


def _printable(text: str) -> str:
    """Foreign text without control characters: it must not move anyone's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)
