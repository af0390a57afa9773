# SPDX-License-Identifier: Apache-2.0
"""One vector: its descriptor read strictly, each case judged, and what came of it compared."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.errors import EnarxError, Misused, Reason
from enarx.evidence.anchor import Anchors
from enarx.evidence.production import production

JUDGES = {
    "snp": "amd",
    "snp-certificate": "amd",
    "sgx": "intel",
    "tdx": "intel",
    "nitro": "nitro",
    "nitrotpm": "nitro",
    "tpm": "tpm",
    "azure-snp-vtpm": "tpm",
    "azure-tdx-vtpm": "tpm",
    "tdx-eventlog": "tpm",
    "nvidia-gpu": "nvidia",
    "nvidia-switch": "nvidia",
    "cca": "arm",
    "psa": "arm",
}
"""Which module judges which kind of vector."""


class Line(msgspec.Struct, frozen=True):
    """What is printed of one case.

    case     KIND/NAME[i]
    expected what the descriptor says, in words
    got      what came of judging, in words
    differs  what does not agree; empty when all does
    """

    ok: bool
    case: str
    expected: str
    got: str
    differs: tuple[str, ...] = ()

    def text(self) -> str:
        """One line for people."""
        more = f", differs in {'; '.join(self.differs)}" if self.differs else ""
        return f"{'ok' if self.ok else 'MISMATCH'} {self.case} expected {self.expected}, got {self.got}{more}"


def judged(path: Path) -> Iterator[Line]:
    """A line for each case of the vector that `path` (its vector.json) describes."""
    where = f"{path.parent.parent.name}/{path.parent.name}"
    try:
        vector = msgspec.json.decode(path.read_bytes(), type=Vector)
        files = {name: (path.parent / name).read_bytes() for name in (*vector.files, vector.evidence)}
    except (msgspec.MsgspecError, OSError, ValueError) as error:
        yield Line(False, where, "a descriptor that this verb understands", str(error), ("descriptor",))
        return
    if not vector.cases:
        yield Line(False, f"{vector.kind}/{vector.name}", "a case", "none", ("cases",))
    for at, case in enumerate(vector.cases):
        outcome = outcome_of(vector, case, files)
        differs = tuple(_differences(vector, case, outcome)) + tuple(_without_key(vector, case, files))
        name = f"{vector.kind}/{vector.name}[{at}]"
        yield Line(not differs, name, _expected(case), _got(outcome), differs)


def outcome_of(vector: Vector, case: Case, files: Mapping[str, bytes]) -> Outcome:
    """What came of judging one case; an error that escapes a judge is an outcome too."""
    try:
        anchors: Anchors = production()
        found: Outcome = _judge(vector.kind).judge(vector, case, files, production=anchors)
    except EnarxError as error:
        return Outcome(verdict=error.family, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a judge that crashes is a mismatch, not the end of the run
        return Outcome(verdict="crashed", reason=f"{type(error).__name__}: {error}")
    return found


def _judge(kind: str) -> Any:
    if kind not in JUDGES:
        raise Misused(Reason.UNKNOWN_KIND, kind)
    return importlib.import_module(f"enarx.cli.vectors.{JUDGES[kind]}")


def _differences(vector: Vector, case: Case, outcome: Outcome) -> Iterator[str]:
    """What the descriptor expects of this case and the outcome does not show."""
    if case.verdict == "refused":
        if outcome.verdict not in case.families:
            yield "verdict"
        return
    if case.verdict != outcome.verdict:
        yield "verdict"
        return
    for name in ("debug", "tcb", "tcb_info_version", "tcb_evaluation_data_number", "signing_key", "product", "rtmr"):
        wanted = getattr(case, name)
        if wanted is not None and wanted != getattr(outcome, name):
            yield f"{name} ({getattr(outcome, name)!r})"
    for name, wanted in vector.claims.items():
        if name not in outcome.claims:
            yield f"claim {name} (unknown)"
        elif outcome.claims[name] != wanted or type(outcome.claims[name]) is not type(wanted):
            yield f"claim {name} ({outcome.claims[name]!r})"


def _without_key(vector: Vector, case: Case, files: Mapping[str, bytes]) -> Iterator[str]:
    """Where a key is named as trusted, the same case without it must be refused as described."""
    if case.trusted_key is None:
        return
    outcome = outcome_of(vector, msgspec.structs.replace(case, trusted_key=None), files)
    if outcome.verdict != case.trusted_key.without:
        yield f"without trusted key: expected {case.trusted_key.without}, got {_got(outcome)}"


def _expected(case: Case) -> str:
    return " or ".join(case.families) if case.verdict == "refused" else _in_words(case.verdict, case)


def _got(outcome: Outcome) -> str:
    said = _in_words(outcome.verdict, outcome)
    return f"{said} ({outcome.reason})" if outcome.reason else said


def _in_words(verdict: str, about: Case | Outcome) -> str:
    debug = " with debug" if about.debug else ""
    tcb = f" {'/'.join(str(status) for status in about.tcb.values())}" if about.tcb else ""
    return f"{verdict}{debug}{tcb}"
