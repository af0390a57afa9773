# SPDX-License-Identifier: Apache-2.0
"""The TDREPORT inside an HCL report held against the quote that was made of it.

A TDREPORT has a MAC that only the same processor can check. What it says is believed because a
quote says the same: every field of it that a quote has is compared.
"""

from __future__ import annotations

import hashlib

from enarx.codec.cursor import Cursor
from enarx.errors import Reason
from enarx.evidence.check import Trail
from enarx.evidence.tdx_report import TdReport

SOURCE = "Intel TDX Module ABI, TDREPORT_STRUCT"
_TDINFO = (
    "td_attributes",
    "xfam",
    "mrtd",
    "mrconfigid",
    "mrowner",
    "mrownerconfig",
    "rtmr0",
    "rtmr1",
    "rtmr2",
    "rtmr3",
)
_TEE_TCB_INFO = 239
_REPORT_TYPES = (b"\x81\0\0\0", b"\x81\0\1\0")
"""Type TDX, subtype 0, version 0 (TD 1.0) or 1 (TD 1.5 with service TDs)."""
_SIZES = {"td_attributes": 8, "xfam": 8, "seam_attributes": 8, "tee_tcb_svn": 16}


def require_same(raw: bytes, domain: TdReport, trail: Trail) -> None:
    """The 1024 bytes say what the quote's trust domain report says. Raises `Malformed`, `Unauthentic`.

    What a quote does not have is at least consistent: TEE_TCB_INFO and TDINFO have the hashes
    that stand in the report. Nothing here vouches for CPUSVN, the MAC and the report's version.
    """
    kind, found, hashed = _read(raw)
    trail.require(
        kind in _REPORT_TYPES, Reason.UNKNOWN_KIND, "TDREPORT: type", fact=kind, expectation="TDX", source=SOURCE
    )
    for field, value in found.items():
        trail.require(
            value == getattr(domain, field),
            Reason.INCONSISTENT,
            f"TDREPORT and quote: {field}",
            fact=value,
            expectation=getattr(domain, field),
            source=SOURCE,
        )
    for name, (part, digest) in hashed.items():
        trail.require(
            hashlib.sha384(part).digest() == digest,
            Reason.DIGEST_MISMATCH,
            f"TDREPORT: {name}_HASH",
            fact=digest,
            source=SOURCE,
        )


def _read(raw: bytes) -> tuple[bytes, dict[str, bytes], dict[str, tuple[bytes, bytes]]]:
    """REPORTTYPE, the fields that a quote has too, and the parts of which the report has a hash."""
    cursor = Cursor(raw, "TDREPORT")
    found: dict[str, bytes] = {}
    kind = cursor.take(4, "REPORTTYPE")
    cursor.zeros(12, "reserved")
    cursor.take(16, "CPUSVN")
    tcb_hash = cursor.take(48, "TEE_TCB_INFO_HASH")
    info_hash = cursor.take(48, "TEE_INFO_HASH")
    found["report_data"] = cursor.take(64, "REPORTDATA")
    cursor.zeros(32, "reserved")
    cursor.take(32, "MAC")
    tcb_info = raw[cursor.at : cursor.at + _TEE_TCB_INFO]
    cursor.take(8, "TEE_TCB_INFO.VALID")
    for field in ("tee_tcb_svn", "mrseam", "mrsignerseam", "seam_attributes"):
        found[field] = cursor.take(_SIZES.get(field, 48), field.upper())
    cursor.take(256 + _TEE_TCB_INFO - cursor.at, "rest of TEE_TCB_INFO")
    cursor.zeros(512 - cursor.at, "reserved")
    info = raw[cursor.at :]
    for field in _TDINFO:
        found[field] = cursor.take(_SIZES.get(field, 48), field.upper())
    cursor.rest()
    return kind, found, {"TEE_TCB_INFO": (tcb_info, tcb_hash), "TEE_INFO": (info, info_hash)}
