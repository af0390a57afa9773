# SPDX-License-Identifier: Apache-2.0
"""The answer of a judge: every finding, and acceptance as a value that the next step demands."""

from __future__ import annotations

from datetime import datetime

import msgspec

from enarx.errors import Reason, Unacceptable, Undetermined
from enarx.evidence.check import Check, Verdict, shown
from enarx.evidence.claims import Claims

_NO = frozenset({Verdict.FAILED, Verdict.UNDETERMINED})


class Member(msgspec.Struct, frozen=True):
    """One member of what was judged: its claims, and what the policy said of them."""

    claims: Claims
    checks: tuple[Check, ...]


class Appraisal(msgspec.Struct, frozen=True, kw_only=True):
    """What came of holding authenticated claims against a policy.

    members       each piece of evidence with its policy checks; its own authentication checks
                  are in `member.claims.checks`
    checks        what concerns the whole: binding, freshness, workload, composition
    policy        the policy's name
    policy_digest SHA-256 of the policy file's bytes
    when          the time at which it was judged
    past          whether that time was given by the verifier instead of being now
    """

    members: tuple[Member, ...]
    checks: tuple[Check, ...]
    policy: str
    policy_digest: bytes
    when: datetime
    past: bool = False

    def every_check(self) -> tuple[Check, ...]:
        """All checks: authentication and policy of each member, then those of the whole."""
        each = (check for member in self.members for check in (*member.claims.checks, *member.checks))
        return (*each, *self.checks)

    def findings(self) -> tuple[Check, ...]:
        """The checks that have something to say: a reason, or a word that left them open."""
        return tuple(c for c in self.every_check() if c.reason is not None or c.verdict is Verdict.UNCHECKED)

    def refusals(self) -> tuple[Check, ...]:
        """The checks that say no, or could not be determined."""
        return tuple(c for c in self.every_check() if c.verdict in _NO)

    def accepted(self) -> Accepted:
        """This appraisal as a permission.

        Raises `Unacceptable` when any check failed, else `Undetermined` when any could not be
        made; the first such check gives the reason.
        """
        refusals = self.refusals()
        if not refusals:
            return Accepted(self)
        failed = [c for c in refusals if c.verdict is Verdict.FAILED]
        first = (failed or list(refusals))[0]
        family = Unacceptable if failed else Undetermined
        subject = f"{first.name}: {shown(first.fact)}" if first.fact != "" else first.name
        raise family(first.reason or Reason.NOT_ALLOWED, subject, hint=first.mend, checks=self.every_check())


class Accepted(msgspec.Struct, frozen=True):
    """Permission to go on. Only `Appraisal.accepted` makes one (an AST test holds that)."""

    appraisal: Appraisal
