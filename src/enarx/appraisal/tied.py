# SPDX-License-Identifier: Apache-2.0
"""Whether evidence is tied to this key, this nonce and this launch (design 4.4).

The verifier builds the map from values of its own; a digest that differs says no more than that.
"""

from __future__ import annotations

import msgspec

from enarx.appraisal.expectation import failed, open_, passed
from enarx.appraisal.policy import Policy
from enarx.appraisal.workload import Package
from enarx.codec.digest import same, sha256, sha384
from enarx.errors import Reason
from enarx.evidence.binding import Binding, bound_digest
from enarx.evidence.check import Check, Verdict
from enarx.evidence.claims import Claims
from enarx.evidence.kind import Kind


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What this verifier wants the evidence to be tied to.

    binding  the map built from the verifier's own values; None when it has none
    fresh    whether the map's nonce is this verifier's own, made for this judgement
    spki     the key's SubjectPublicKeyInfo, DER; for upstream's bare form only
    launch   the launch digest, 32 bytes
    package  of the launch document that has this digest; None when it was not shown
    linked   pairs of members, by position, that cryptography ties to each other
    composed what a TEE of a kind may sign over in place of the binding's digest, because it commits
             to it or to the key that signed it (`enarx.appraisal.composition` finds them)
    """

    binding: Binding | None = None
    fresh: bool = False
    spki: bytes | None = None
    launch: bytes | None = None
    package: Package | None = None
    linked: frozenset[tuple[int, int]] = frozenset()
    composed: frozenset[tuple[Kind, bytes]] = frozenset()


NOTHING = Expected()


def binding_check(claims: Claims, policy: Policy, expected: Expected) -> Check:
    """The signed bytes are the digest of the verifier's map, or of its key in the bare form."""
    name, source = f"binding of {claims.kind}", "policy: binding"
    match policy.binding:
        case "unchecked":
            return open_(name, claims.bound, source)
        case "legacy-spki":
            wanted = _bare(claims.kind, expected.spki)
            mend = "give the key's SubjectPublicKeyInfo"
        case _ if (claims.kind, claims.bound) in expected.composed:
            return passed(name, claims.bound, "commits to the members that carry the binding", source)
        case _:
            wanted = _digest(claims.kind, expected.binding)
            mend = "give the nonce, the key and the launch digest that the evidence was asked for with"
    if wanted is None:
        return failed(name, Reason.BINDING_FORM, claims.bound, "nothing to compare with", source, mend)
    if not same(claims.bound, wanted):
        mend = "the evidence is for another key, nonce, purpose or launch: ask for new evidence"
        return failed(name, Reason.BINDING_MISMATCH, claims.bound, wanted, source, mend)
    return passed(name, claims.bound, wanted, source)


def _digest(kind: Kind, binding: Binding | None) -> bytes | None:
    if binding is None:
        return None
    return bound_digest(kind, binding)


def _bare(kind: Kind, spki: bytes | None) -> bytes | None:
    """Upstream's report_data: SNP SHA-384(SPKI) and 16 zeros, SGX SHA-256(SPKI) and 32 zeros."""
    if spki is None or kind not in (Kind.SNP, Kind.SGX):
        return None
    return (sha384(spki) if kind is Kind.SNP else sha256(spki)).ljust(64, b"\0")


def freshness_check(policy: Policy, expected: Expected) -> Check:
    """The binding's nonce was made by this verifier for this judgement."""
    source = "policy: freshness"
    if policy.freshness == "unchecked":
        return open_("freshness", "", source)
    if expected.binding is None or not expected.fresh:
        mend = "ask the keep itself for evidence over a nonce of yours"
        return failed("freshness", Reason.NOT_FRESH, "no nonce of this verifier", "a fresh nonce", source, mend)
    return passed("freshness", expected.binding.nonce, "a nonce of this verifier", source)


def launch_checks(members: tuple[Claims, ...], policy: Policy, expected: Expected) -> tuple[Check, ...]:
    """The field that the launcher filled holds the launch digest. A contradicting one is never accepted."""
    fields = [(claims.kind, claims.launch) for claims in members if claims.launch is not None]
    checks = tuple(_launch(kind, field, policy, expected.launch) for kind, field in fields)
    if fields or policy.launch_field != "required":
        return checks or (open_("launch field", "this technology has none", "policy: launch_field"),)
    return (failed("launch field", Reason.LAUNCH_MISSING, "none", "the launch digest", "policy: launch_field"),)


def _launch(kind: Kind, field: bytes, policy: Policy, launch: bytes | None) -> Check:
    name, source = f"launch field of {kind}", "policy: launch_field"
    empty = not any(field)
    if launch is None:
        if policy.launch_field == "unchecked":
            return open_(name, field, source)
        mend = "give the launch document"
        return Check(name, Verdict.UNDETERMINED, Reason.LAUNCH_MISSING, field, "a launch digest", source, mend)
    wanted = launch.ljust(len(field), b"\0")
    if same(field, wanted):
        return passed(name, field, wanted, source)
    if not empty:
        mend = "the host launched something else than the launch document says"
        return failed(name, Reason.LAUNCH_MISMATCH, field, wanted, source, mend)
    if policy.launch_field == "required":
        return failed(name, Reason.LAUNCH_MISSING, field, wanted, source, 'a warm keep needs launch_field = "late"')
    return open_(name, "empty", source)
