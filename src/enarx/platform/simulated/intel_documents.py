# SPDX-License-Identifier: Apache-2.0
"""Collateral of a simulated Intel: TCB info and QE identity as JSON values to be changed at will, then signed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from enarx.evidence.intel_pck import Platform
from enarx.evidence.intel_qe_identity import masked
from enarx.evidence.sgx_report import EnclaveReport
from enarx.platform.simulated import intel_pki, pki

EVALUATION = 19
_MASK = bytes.fromhex("fbffffffffffffff0000000000000000")
_MODULE = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}


def tcb_info(
    tee: str, platform: Platform, tee_tcb_svn: bytes, when: datetime, *, version: int = 3, **changed: Any
) -> dict[str, Any]:
    """A TCB info that calls this platform UpToDate, and everything below it OutOfDate."""
    below = bytes(16)
    levels = [
        level(version, platform.components, platform.pcesvn, tee_tcb_svn, tee, "UpToDate", when),
        level(version, below, 0, below, tee, "OutOfDate", when - timedelta(days=400), "INTEL-SA-00001"),
    ]
    info: dict[str, Any] = {
        "id": tee,
        "version": version,
        **_dates(when),
        "fmspc": platform.fmspc.hex().upper(),
        "pceId": platform.pceid.hex(),
        "tcbType": 0,
        "tcbEvaluationDataNumber": EVALUATION,
    }
    if tee == "TDX":
        info["tdxModule"] = dict(_MODULE)
        info["tdxModuleIdentities"] = [
            {
                "id": f"TDX_{tee_tcb_svn[1]:02X}",
                **_MODULE,
                "tcbLevels": [
                    isv_level(tee_tcb_svn[0], "UpToDate", when),
                    isv_level(0, "OutOfDate", when - timedelta(days=400), "INTEL-SA-00002"),
                ],
            }
        ]
    if version == 2:
        del info["id"]
    return {**info, "tcbLevels": levels, **changed}


def qe_identity(name: str, report: EnclaveReport, when: datetime, **changed: Any) -> dict[str, Any]:
    """A QE identity that this quoting enclave has, at its version UpToDate."""
    return {
        "id": name,
        "version": 2,
        **_dates(when),
        "tcbEvaluationDataNumber": EVALUATION,
        "miscselect": report.misc_select[::-1].hex().upper(),
        "miscselectMask": "FFFFFFFF",
        "attributes": masked(report.attributes, _MASK).hex().upper(),
        "attributesMask": _MASK.hex().upper(),
        "mrsigner": report.mrsigner.hex().upper(),
        "isvprodid": report.isvprodid,
        "tcbLevels": [
            isv_level(report.isvsvn, "UpToDate", when),
            isv_level(0, "OutOfDate", when - timedelta(days=400), "INTEL-SA-00003"),
        ],
        **changed,
    }


def level(
    version: int, components: bytes, pcesvn: int, tdx: bytes, tee: str, status: str, when: datetime, *advisories: str
) -> dict[str, Any]:
    """One TCB level."""
    if version == 2:
        tcb: dict[str, Any] = {f"sgxtcbcomp{n:02}svn": svn for n, svn in enumerate(components, 1)}
    else:
        tcb = {"sgxtcbcomponents": [{"svn": svn} for svn in components]}
        if tee == "TDX":
            tcb["tdxtcbcomponents"] = [{"svn": svn} for svn in tdx]
    return {"tcb": {**tcb, "pcesvn": pcesvn}, **_said(status, when, advisories)}


def isv_level(isvsvn: int, status: str, when: datetime, *advisories: str) -> dict[str, Any]:
    """One level of an enclave or TDX module."""
    return {"tcb": {"isvsvn": isvsvn}, **_said(status, when, advisories)}


def document(name: str, value: dict[str, Any], key: pki.PrivateKey) -> bytes:
    """`{"NAME":VALUE,"signature":…}` as Intel writes it, signed."""
    body = json.dumps(value, separators=(",", ":")).encode()
    signature = intel_pki.signed(key, body).hex().encode()
    return b'{"' + name.encode() + b'":' + body + b',"signature":"' + signature + b'"}'


def date(when: datetime) -> str:
    """A time as Intel writes it."""
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _said(status: str, when: datetime, advisories: tuple[str, ...]) -> dict[str, Any]:
    said: dict[str, Any] = {"tcbDate": date(when - timedelta(days=30)), "tcbStatus": status}
    return {**said, "advisoryIDs": list(advisories)} if advisories else said


def _dates(when: datetime) -> dict[str, str]:
    return {"issueDate": date(when - timedelta(hours=1)), "nextUpdate": date(when + timedelta(days=30))}
