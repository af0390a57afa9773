# SPDX-License-Identifier: Apache-2.0
"""Captures of TPMs, of Azure's virtual TPM, and of boot logs beside TDX quotes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from enarx.cli.vectors import azure
from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.cli.vectors.named_key import named_keys
from enarx.cli.vectors.tpm_files import EVENT_LOG, SIGNATURES, Beside, authority_anchors, beside, unsized
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence import ccel, event_log, tdx, tpm
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Trail
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.tpm import TpmClaims
from enarx.evidence.tpm_key import parse as parse_key

UNLIMITED = datetime(2026, 1, 1, tzinfo=UTC)
"""For cases that name no time, because no certificate limits them."""


def judge(vector: Vector, case: Case, files: Mapping[str, bytes], *, production: Anchors) -> Outcome:
    """What comes of one case of any kind that is judged here."""
    try:
        if vector.kind == "tdx-eventlog":
            return _replay(vector, files)
        anchors = _anchors(case, files, production)
        when = case.when or UNLIMITED
        if vector.kind == "tpm":
            return _quote(vector, files, anchors, when)
        return azure.outcome(vector, case, files, anchors, when)
    except EnarxError as error:
        return Outcome(verdict=error.family, reason=str(error))


def _anchors(case: Case, files: Mapping[str, bytes], production: Anchors) -> Anchors:
    anchors = production if case.anchors is None else authority_anchors(case.anchors, files[case.anchors])
    if case.trusted_key is None:
        return anchors
    return Anchors(anchors.name, anchors.roots, _trusted(files[case.trusted_key.file], case.trusted_key.file))


def _trusted(raw: bytes, name: str) -> tuple[bytes, ...]:
    """A key in a TPM's own form, or in any form that people publish keys in."""
    try:
        return (parse_key(raw).spki(),)
    except Malformed:
        return named_keys(raw, name)


def _quote(vector: Vector, files: Mapping[str, bytes], anchors: Anchors, when: datetime) -> Outcome:
    found = beside(files, leave_out=vector.evidence)
    signature = found.first(SIGNATURES)
    if signature is None:
        raise Malformed(Reason.MISSING, "quote: signature")
    parts = {"signature": signature, **found.parts()}
    evidence = Evidence(Kind.TPM, unsized(files[vector.evidence]), parts)
    claims = _believed(evidence, found, anchors, when)
    return Outcome(verdict="authentic", debug=claims.debug(), claims=claims.facts())


def _believed(evidence: Evidence, found: Beside, anchors: Anchors, when: datetime) -> TpmClaims:
    """The quote's claims; one that nobody vouches for is refused as that, whatever its log looks like."""
    endorsements = Endorsements(crls=found.crls)
    try:
        quote = tpm.parse(evidence, bank=found.bank())
    except Malformed:
        parts = {name: raw for name, raw in evidence.parts.items() if name != "event_log"}
        bare = tpm.parse(Evidence(evidence.kind, evidence.body, parts), bank=found.bank())
        tpm.authenticate(bare, endorsements, anchors=anchors, when=when)
        raise
    return tpm.authenticate(quote, endorsements, anchors=anchors, when=when)


def _replay(vector: Vector, files: Mapping[str, bytes]) -> Outcome:
    """Which of the four registers the log leads to."""
    domain = tdx.parse(files[vector.evidence]).domain
    found = beside(files, leave_out=vector.evidence)
    log = found.first(("ccel", *EVENT_LOG)) or next(iter(found.files.values()), None)
    if log is None:
        raise Malformed(Reason.MISSING, "event log beside the quote")
    rtmr = ccel.explained(event_log.parse(log), domain, Trail())
    return Outcome(verdict="replay", rtmr=rtmr, debug=domain.debug())
