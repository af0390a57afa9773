# SPDX-License-Identifier: Apache-2.0
"""What was checked: one line of the tree that a verifier shows to people.

`Trail` gathers checks while a judge works. The first authentication check that fails ends the
work with an error that carries the whole trail, so that the reader sees how far it came.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NoReturn

import msgspec

from enarx.errors import EnarxError, Reason, Unauthentic


class Verdict(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    UNCHECKED = "unchecked"
    """The policy says so in that word."""
    UNDETERMINED = "undetermined"
    """Something needed to know was missing."""
    NOTED = "noted"
    """Seen and shown; nothing was expected of it."""


class Check(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One thing that was looked at.

    name        what was checked, in the specification's words ("VMPL", "VCEK chain")
    verdict     how it ended
    reason      why, unless it passed
    fact        what was found, for people; bytes are lower-case hexadecimal
    expectation what was wanted
    source      whose expectation it was ("AMD 56860 table 23", "policy: snp.vmpl", "RFC 5280")
    mend        what the reader can do about it, or ""
    """

    name: str
    verdict: Verdict
    reason: Reason | None = None
    fact: str | bytes | int = ""
    expectation: str | bytes | int = ""
    source: str = ""
    mend: str = ""

    def says_no(self) -> bool:
        """Failed, or could not be determined."""
        return self.verdict is Verdict.FAILED or self.verdict is Verdict.UNDETERMINED


def shown(value: str | bytes | int) -> str:
    """A fact or an expectation as text: bytes become hexadecimal."""
    return value.hex() if isinstance(value, bytes) else str(value)


class Trail:
    """The checks of one judgement, in the order in which they were made."""

    __slots__ = ("_checks",)

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def require(
        self,
        holds: bool,  # noqa: FBT001
        reason: Reason,
        name: str,
        *,
        fact: str | bytes | int = "",
        expectation: str | bytes | int = "",
        source: str = "",
        mend: str = "",
        family: type[EnarxError] = Unauthentic,
    ) -> None:
        """Record the check; when it does not hold, raise `family` with the trail so far."""
        if holds:
            self._checks.append(Check(name, Verdict.PASSED, None, fact, expectation, source))
        else:
            self.refuse(reason, name, fact=fact, expectation=expectation, source=source, mend=mend, family=family)

    def refuse(
        self,
        reason: Reason,
        name: str,
        *,
        fact: str | bytes | int = "",
        expectation: str | bytes | int = "",
        source: str = "",
        mend: str = "",
        family: type[EnarxError] = Unauthentic,
    ) -> NoReturn:
        """Record a check that failed and raise `family` with the trail so far."""
        verdict = Verdict.UNDETERMINED if family.family == "undetermined" else Verdict.FAILED
        self._checks.append(Check(name, verdict, reason, fact, expectation, source, mend))
        subject = f"{name}: {shown(fact)}" if fact != "" else name
        raise family(reason, subject, hint=mend, checks=self.checks())

    def note(
        self, name: str, fact: str | bytes | int = "", *, reason: Reason | None = None, source: str = "", mend: str = ""
    ) -> None:
        """Record something seen of which nothing was expected (a finding when it has a reason)."""
        self._checks.append(Check(name, Verdict.NOTED, reason, fact, "", source, mend))

    def add(self, check: Check) -> None:
        """Record a check made elsewhere."""
        self._checks.append(check)

    def extend(self, checks: tuple[Check, ...]) -> None:
        """Record checks made elsewhere."""
        self._checks.extend(checks)

    def checks(self) -> tuple[Check, ...]:
        """What has been recorded."""
        return tuple(self._checks)
