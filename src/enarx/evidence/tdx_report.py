# SPDX-License-Identifier: Apache-2.0
"""The report that the TDX module makes of a trust domain, as a quote signs over it.

Intel TDX DCAP Quoting Library API, A.3.2 (TD 1.0, 584 bytes) and A.4.4 (TD 1.5, 648 bytes).
"""

from __future__ import annotations

import msgspec

from enarx.codec.cursor import Cursor

SIZE_10 = 584
SIZE_15 = 648
UNDER_DEBUG = 0xFF
"""TDATTRIBUTES.TUD, bit 0 of which is DEBUG: "if any of the bits in this group are set to 1, the TD is untrusted"."""
SEPT_VE_DISABLE, MIGRATABLE, PKS, KEY_LOCKER, PERFMON = 1 << 28, 1 << 29, 1 << 30, 1 << 31, 1 << 63
"""Other bits of TDATTRIBUTES (Intel TDX Module ABI, ATTRIBUTES)."""


class TdReport(msgspec.Struct, frozen=True):
    """A trust domain's report body. Byte strings stand as in the report.

    tee_tcb_svn 16, seam_attributes, td_attributes, xfam 8 bytes; the measurements 48;
    report_data 64. tee_tcb_svn_2 (16) and mrservicetd (48) exist from TD 1.5 on.
    """

    raw: bytes
    tee_tcb_svn: bytes
    mrseam: bytes
    mrsignerseam: bytes
    seam_attributes: bytes
    td_attributes: bytes
    xfam: bytes
    mrtd: bytes
    mrconfigid: bytes
    mrowner: bytes
    mrownerconfig: bytes
    rtmr0: bytes
    rtmr1: bytes
    rtmr2: bytes
    rtmr3: bytes
    report_data: bytes
    tee_tcb_svn_2: bytes | None
    mrservicetd: bytes | None

    def attributes(self) -> int:
        """TDATTRIBUTES as an integer."""
        return int.from_bytes(self.td_attributes, "little")

    def debug(self) -> bool:
        """The trust domain's memory can be read from outside, or its state in a way yet to be defined."""
        return bool(self.attributes() & UNDER_DEBUG)


def parse(raw: bytes, what: str) -> TdReport:
    """The 584 bytes of a TD 1.0 body or the 648 of a TD 1.5 body."""
    c = Cursor(raw, what)
    tee_tcb_svn = c.take(16, "TEE_TCB_SVN")
    mrseam = c.take(48, "MRSEAM")
    mrsignerseam = c.take(48, "MRSIGNERSEAM")
    seam_attributes = c.take(8, "SEAMATTRIBUTES")
    td_attributes = c.take(8, "TDATTRIBUTES")
    xfam = c.take(8, "XFAM")
    mrtd = c.take(48, "MRTD")
    mrconfigid = c.take(48, "MRCONFIGID")
    mrowner = c.take(48, "MROWNER")
    mrownerconfig = c.take(48, "MROWNERCONFIG")
    rtmr0 = c.take(48, "RTMR0")
    rtmr1 = c.take(48, "RTMR1")
    rtmr2 = c.take(48, "RTMR2")
    rtmr3 = c.take(48, "RTMR3")
    report_data = c.take(64, "REPORTDATA")
    tee_tcb_svn_2 = c.take(16, "TEE_TCB_SVN2") if len(raw) > SIZE_10 else None
    mrservicetd = c.take(48, "MRSERVICETD") if len(raw) > SIZE_10 else None
    c.done()
    return TdReport(
        raw,
        tee_tcb_svn,
        mrseam,
        mrsignerseam,
        seam_attributes,
        td_attributes,
        xfam,
        mrtd,
        mrconfigid,
        mrowner,
        mrownerconfig,
        rtmr0,
        rtmr1,
        rtmr2,
        rtmr3,
        report_data,
        tee_tcb_svn_2,
        mrservicetd,
    )
