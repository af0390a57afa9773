# SPDX-License-Identifier: Apache-2.0
"""Intel SGX: DCAP quotes of enclaves (version 3, and later versions with an enclave in them)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.errors import Malformed, Reason
from enarx.evidence import intel_claims, intel_quote, intel_vouching, sgx_report
from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.intel_claims import IntelClaims
from enarx.evidence.intel_quote import SGX, Quote
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.sgx_report import EnclaveReport

_WHAT = "SGX quote"


class SgxReport(msgspec.Struct, frozen=True):
    """A quote with the enclave's report in it. Parsed, not believed."""

    quote: Quote
    enclave: EnclaveReport


class SgxClaims(IntelClaims, frozen=True, kw_only=True):
    """What Intel vouches for: this enclave runs on that platform."""

    enclave: EnclaveReport

    def facts(self) -> dict[str, Any]:
        """The claims as plain JSON values, named as in the vectors."""
        return {**self.platform_facts(), **facts_of(self.enclave)}

    def debug(self) -> bool:
        """The enclave's memory can be read by a debugger."""
        return self.enclave.debug()


def parse(raw: bytes) -> SgxReport:
    """A quote of an enclave, to the last byte; zeros may follow it."""
    quote = intel_quote.parse(raw, SGX, _WHAT)
    return SgxReport(quote, sgx_report.parse(quote.body, f"{_WHAT}: enclave report"))


def authenticate(
    report: SgxReport,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> SgxClaims:
    """The enclave's claims, if `anchors` and Intel's collateral vouch for them at `when`.

    Raises `Unauthentic`; `Undetermined` where collateral is missing or out of date.
    """
    vouched = intel_vouching.vouch(report.quote, None, endorsements, anchors=anchors, when=when, memory=memory)
    return SgxClaims(
        kind=Kind.SGX,
        anchors=anchors.name,
        bound=report.enclave.report_data,
        launch=report.enclave.config_id,
        checks=vouched.checks,
        version=report.quote.version,
        qe_isvsvn=report.quote.qe_report.isvsvn,
        enclave=report.enclave,
        **intel_claims.shared(vouched),
    )


def facts_of(enclave: EnclaveReport) -> dict[str, Any]:
    """What an enclave's report says, named as in the vectors."""
    return {
        "attributes": enclave.attributes.hex(),
        "misc_select": enclave.misc_select.hex(),
        "mrenclave": enclave.mrenclave.hex(),
        "mrsigner": enclave.mrsigner.hex(),
        "isvprodid": enclave.isvprodid,
        "isvsvn": enclave.isvsvn,
        "config_id": enclave.config_id.hex(),
        "config_svn": enclave.config_svn,
        "isv_ext_prod_id": enclave.isv_ext_prod_id.hex(),
        "isv_family_id": enclave.isv_family_id.hex(),
        "cpusvn": enclave.cpusvn.hex(),
        "report_data": enclave.report_data.hex(),
    }


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> SgxClaims:
    """Parse and authenticate in one step; a quote has no other parts."""
    if evidence.parts:
        raise Malformed(Reason.UNKNOWN_KEY, f"evidence of kind sgx: part {min(evidence.parts)!r}")
    return authenticate(parse(evidence.body), endorsements, anchors=anchors, when=when, memory=memory)
