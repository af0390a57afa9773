# SPDX-License-Identifier: Apache-2.0
"""What a policy asks of all members together, beside what each technology's section asks."""

from __future__ import annotations

from datetime import datetime

from enarx.appraisal.expectation import failed, open_, passed
from enarx.appraisal.policy import Policy
from enarx.appraisal.tied import Expected, binding_check, freshness_check, launch_checks
from enarx.appraisal.workload import package_checks
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import PRODUCTION
from enarx.evidence.check import Check, Verdict
from enarx.evidence.claims import Claims
from enarx.evidence.kind import Kind


def whole_checks(
    members: tuple[Claims, ...], policy: Policy, expected: Expected, *, when: datetime
) -> tuple[Check, ...]:
    """Every check that is not a section's. Judging no evidence at all is a mistake of the caller."""
    if not members:
        raise Misused(Reason.MISSING, "evidence to appraise")
    return (
        *(binding_check(claims, policy, expected) for claims in members),
        freshness_check(policy, expected),
        *launch_checks(members, policy, expected),
        *package_checks(policy, expected.package),
        *(_revocation(claims, policy) for claims in members),
        _composition(len(members), policy, expected),
        _expiry(policy, when),
        *(_anchors(claims) for claims in members),
    )


def _revocation(claims: Claims, policy: Policy) -> Check:
    """A finding `revocation-unchecked` of authentication, where the policy wants an answer."""
    name, source = f"revocation of {claims.kind}", "policy: revocation"
    finding = next((c for c in claims.checks if c.reason is Reason.REVOCATION_UNCHECKED), None)
    if finding is None:
        return passed(name, "no question was left open", "an answer", source)
    if policy.revocation == "unchecked":
        return Check(
            name, Verdict.UNCHECKED, Reason.REVOCATION_UNCHECKED, finding.fact, policy.revocation, source, finding.mend
        )
    return Check(
        name, Verdict.UNDETERMINED, Reason.REVOCATION_UNCHECKED, finding.fact, "an answer", source, finding.mend
    )


def _composition(size: int, policy: Policy, expected: Expected) -> Check:
    """Members of a collection are tied to each other by cryptography, not by a shared challenge."""
    source = "policy: composition"
    if size == 1:
        return passed("composition", "one member", "one whole", source)
    if policy.composition == "unchecked":
        return open_("composition", f"{size} members", source)
    apart = size - len(_reached(size, expected.linked))
    if apart:
        fact = f"{apart} of {size} members are not linked to the first"
        return failed("composition", Reason.COMPOSITION_UNPROVEN, fact, "links by cryptography", source)
    return passed("composition", f"{size} members, all linked", "links by cryptography", source)


def _reached(size: int, links: frozenset[tuple[int, int]]) -> set[int]:
    """The members that links lead to from the first."""
    reached = {0}
    for _ in range(size):
        reached |= {b for a, b in links if a in reached} | {a for a, b in links if b in reached}
    return reached & set(range(size))


def _expiry(policy: Policy, when: datetime) -> Check:
    source = "policy: expires"
    if policy.expires is None:
        return open_("policy is current", "it never expires", source)
    fact = f"until {policy.expires:%Y-%m-%dT%H:%M:%SZ}"
    if when <= policy.expires:
        return passed("policy is current", fact, "not expired", source)
    return failed("policy is current", Reason.EXPIRED, fact, "not expired", source, "get the policy's newer version")


def _anchors(claims: Claims) -> Check:
    """Who vouched: anything but the production anchors leaves its mark in every result."""
    name = f"anchors of {claims.kind}"
    if claims.anchors == PRODUCTION or claims.kind is Kind.NONE:
        return Check(name, Verdict.NOTED, None, claims.anchors, "", "trust anchors")
    return Check(name, Verdict.NOTED, Reason.SIMULATED, claims.anchors, "", "anchors that the caller asked for")
