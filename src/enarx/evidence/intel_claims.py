# SPDX-License-Identifier: Apache-2.0
"""What SGX and TDX claims share: the platform below, and how current it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from enarx.evidence.claims import Claims
from enarx.evidence.intel_generation import generation
from enarx.evidence.intel_pck import Platform
from enarx.evidence.intel_tcb import Standing
from enarx.evidence.intel_vouching import Vouched


class IntelClaims(Claims, frozen=True, kw_only=True):
    """Authenticated claims of an Intel platform.

    version                        of the quote
    qe_isvsvn                      of the quoting enclave that signed it
    platform                       what the PCK certificate says (PPID, FMSPC, SVNs, …)
    standing                       TCB statuses, their date, and advisories
    tcb_info_version, tcb_evaluation_data_number   of the TCB info
    qe_evaluation_data_number      of the QE identity
    issued                         when the older of TCB info and QE identity was issued
    """

    version: int
    qe_isvsvn: int
    platform: Platform
    standing: Standing
    tcb_info_version: int
    tcb_evaluation_data_number: int
    qe_evaluation_data_number: int
    issued: datetime

    def generation(self) -> str:
        """The processor's generation, or "unknown"."""
        return generation(self.platform.fmspc)

    def statuses(self) -> dict[str, str | None]:
        """The TCB statuses of platform, tdx_module and qe by themselves (None: there is none)."""
        found = self.standing
        module = None if found.tdx_module is None else str(found.tdx_module)
        return {"platform": str(found.platform), "tdx_module": module, "qe": str(found.qe)}

    def platform_facts(self) -> dict[str, Any]:
        """The part of `facts` that SGX and TDX share."""
        found = self.standing
        return {
            "version": self.version,
            "qe_isvsvn": self.qe_isvsvn,
            **facts_of(self.platform),
            "sgx_type": self.platform.sgx_type,
            "generation": self.generation(),
            "tcb": self.statuses(),
            "tcb_status": str(found.merged),
            "tcb_date": found.date.isoformat() if found.date else None,
            "advisories": list(found.advisories),
            "tcb_evaluation_data_number": self.tcb_evaluation_data_number,
        }


def facts_of(platform: Platform) -> dict[str, Any]:
    """What a PCK certificate says of its platform, named as in the vectors."""
    return {
        "pcesvn": platform.pcesvn,
        "fmspc": platform.fmspc.hex(),
        "pceid": platform.pceid.hex(),
        "ppid": platform.ppid.hex(),
        "piid": platform.piid.hex() if platform.piid else None,
    }


def shared(vouched: Vouched) -> dict[str, Any]:
    """The constructor's arguments for what SGX and TDX claims share."""
    info, identity = vouched.collateral.info, vouched.collateral.identity
    return {
        "window": vouched.window,
        "platform": vouched.chain.platform,
        "standing": vouched.standing,
        "tcb_info_version": info.version,
        "tcb_evaluation_data_number": info.evaluation_number,
        "qe_evaluation_data_number": identity.evaluation_number,
        "issued": min(info.issue_date, identity.issue_date),
    }
