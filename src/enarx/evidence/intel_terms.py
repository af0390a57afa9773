# SPDX-License-Identifier: Apache-2.0
"""The times within which Intel's certificates, CRLs and documents hold.

What was authenticated once stays authentic; whether it holds at a given time is asked anew, and
one comparison answers for all of it as long as everything holds.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from enarx.codec.x509 import Certificate, Crl
from enarx.errors import EnarxError, Reason, Unauthentic, Undetermined
from enarx.evidence.check import Check, Trail, Verdict
from enarx.evidence.claims import Window


class Term(msgspec.Struct, frozen=True):
    """One thing and its time. `family` is what its being out of date leads to."""

    name: str
    not_before: datetime
    not_after: datetime
    family: type[EnarxError]
    source: str


class Terms(msgspec.Struct, frozen=True):
    """Several of them, their common window, and the check to record when all hold."""

    each: tuple[Term, ...]
    window: Window
    passed: Check


def of_certificate(name: str, certificate: Certificate) -> Term:
    """The validity of a certificate."""
    return Term(name, certificate.not_before, certificate.not_after, Unauthentic, "RFC 5280 4.1.2.5")


def of_crl(name: str, crl: Crl) -> Term:
    """From thisUpdate to nextUpdate. Outside of it, revocation is an open question."""
    return Term(name, crl.this_update, crl.next_update, Undetermined, "RFC 5280 5.1.2")


def of_document(name: str, issue_date: datetime, next_update: datetime) -> Term:
    """From issueDate to nextUpdate. Outside of it, the status of a platform is an open question."""
    return Term(name, issue_date, next_update, Undetermined, "Intel PCS API v4")


def together(name: str, *each: Term) -> Terms:
    """Terms that all have to hold; `name` says of what they are the times."""
    window = Window(max([one.not_before for one in each]), min([one.not_after for one in each]))
    fact = f"all hold from {window.not_before.isoformat()} to {window.not_after.isoformat()}"
    return Terms(
        each, window, Check(name, Verdict.PASSED, None, fact, "", "RFC 5280 4.1.2.5 and 5.1.2, Intel PCS API v4")
    )


def require_current(terms: Terms, *, when: datetime, trail: Trail) -> None:
    """Everything holds at `when`; otherwise the first that does not is the reason."""
    if terms.window.not_before <= when <= terms.window.not_after:
        trail.add(terms.passed)
        return
    for one in terms.each:
        for holds, reason in ((one.not_before <= when, Reason.NOT_YET_VALID), (when <= one.not_after, Reason.EXPIRED)):
            trail.require(
                holds,
                reason,
                f"{one.name} is current",
                fact=f"{one.not_before.isoformat()} to {one.not_after.isoformat()}",
                expectation=f"holds at {when.isoformat()}",
                source=one.source,
                mend="give what Intel publishes now, or judge it at the time it was made: --at TIME",
                family=one.family,
            )
