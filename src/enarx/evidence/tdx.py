# SPDX-License-Identifier: Apache-2.0
"""Intel TDX: DCAP quotes of trust domains (versions 4 and 5; TD 1.0 and TD 1.5).

The part "event_log" of `Evidence` is the boot log (ACPI table CCEL), which nobody signs: it is held
against the registers in the quote.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.errors import Malformed, Reason
from enarx.evidence import ccel, event_log, intel_claims, intel_quote, intel_vouching, tdx_report
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Check, Trail, Verdict
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.event_log import EventLog
from enarx.evidence.intel_claims import IntelClaims
from enarx.evidence.intel_quote import TDX, Quote
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.tdx_report import SEPT_VE_DISABLE, TdReport

EVENT_LOG = "event_log"
_WHAT = "TDX quote"
_ABI = "Intel TDX Module ABI, TD ATTRIBUTES"


class TdxReport(msgspec.Struct, frozen=True):
    """A quote with the trust domain's report in it, and the boot log that came along. Parsed, not believed."""

    quote: Quote
    domain: TdReport
    log: EventLog | None = None


class TdxClaims(IntelClaims, frozen=True, kw_only=True):
    """What Intel vouches for: this trust domain runs on that platform.

    replayed  the registers ("RTMR0") that the boot log leads to; None without a log
    """

    domain: TdReport
    replayed: frozenset[str] | None = None

    def facts(self) -> dict[str, Any]:
        """The claims as plain JSON values, named as in the vectors."""
        replayed = None if self.replayed is None else sorted(self.replayed)
        return {**self.platform_facts(), **facts_of(self.domain), "replayed": replayed}

    def debug(self) -> bool:
        """The trust domain's memory can be read from outside."""
        return self.domain.debug()


def parse(raw: bytes) -> TdxReport:
    """A quote of a trust domain, to the last byte; zeros may follow it."""
    quote = intel_quote.parse(raw, TDX, _WHAT)
    return TdxReport(quote, tdx_report.parse(quote.body, f"{_WHAT}: TD report"))


def authenticate(
    report: TdxReport,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> TdxClaims:
    """The trust domain's claims, if `anchors` and Intel's collateral vouch for them at `when`.

    Raises `Unauthentic`; `Undetermined` where collateral is missing or out of date.
    """
    vouched = intel_vouching.vouch(report.quote, report.domain, endorsements, anchors=anchors, when=when, memory=memory)
    trail = Trail()
    found = None if report.log is None else ccel.explained(report.log, report.domain, trail)
    return TdxClaims(
        kind=Kind.TDX,
        anchors=anchors.name,
        bound=report.domain.report_data,
        launch=report.domain.mrconfigid,
        checks=vouched.checks + _findings(report.domain) + trail.checks(),
        version=report.quote.version,
        qe_isvsvn=report.quote.qe_report.isvsvn,
        domain=report.domain,
        replayed=None if found is None else frozenset(name for name, holds in found.items() if holds),
        **intel_claims.shared(vouched),
    )


def _findings(domain: TdReport) -> tuple[Check, ...]:
    """What a policy may want to look at; nothing of it makes the quote less genuine."""
    found = []
    if not domain.attributes() & SEPT_VE_DISABLE:
        found.append(
            Check("SEPT_VE_DISABLE", Verdict.NOTED, Reason.GUEST_POLICY, "clear: the host can raise #VE", "", _ABI)
        )
    if domain.mrservicetd and any(domain.mrservicetd):
        found.append(Check("MRSERVICETD", Verdict.NOTED, Reason.FIELD_NOT_ACCEPTED, domain.mrservicetd, "", _ABI))
    return tuple(found)


def facts_of(domain: TdReport) -> dict[str, Any]:
    """What a trust domain's report says, named as in the vectors."""
    facts: dict[str, Any] = {
        name: getattr(domain, name).hex()
        for name in domain.__struct_fields__
        if name != "raw" and getattr(domain, name) is not None
    }
    return facts


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> TdxClaims:
    """Parse and authenticate in one step."""
    if unknown := evidence.parts.keys() - {EVENT_LOG}:
        raise Malformed(Reason.UNKNOWN_KEY, f"evidence of kind tdx: part {min(unknown)!r}")
    report = parse(evidence.body)
    if EVENT_LOG in evidence.parts:
        report = msgspec.structs.replace(report, log=event_log.parse(evidence.parts[EVENT_LOG]))
    return authenticate(report, endorsements, anchors=anchors, when=when, memory=memory)
