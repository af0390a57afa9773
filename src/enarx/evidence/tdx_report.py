# SPDX-License-Identifier: Apache-2.0
"""The report that the TDX module makes of a trust domain, as a quote signs over it.

Intel TDX DCAP Quoting Library API, A.3.2 (TD 1.0, 584 bytes) and A.4.4 (TD 1.5, 648 bytes).
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import msgspec

from enarx.errors import Malformed, Reason

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


_LAYOUT = (
    ("TEE_TCB_SVN", 16),
    ("MRSEAM", 48),
    ("MRSIGNERSEAM", 48),
    ("SEAMATTRIBUTES", 8),
    ("TDATTRIBUTES", 8),
    ("XFAM", 8),
    ("MRTD", 48),
    ("MRCONFIGID", 48),
    ("MROWNER", 48),
    ("MROWNERCONFIG", 48),
    ("RTMR0", 48),
    ("RTMR1", 48),
    ("RTMR2", 48),
    ("RTMR3", 48),
    ("REPORTDATA", 64),
)
_TD_10 = Struct("".join(f"{size}s" for _, size in _LAYOUT))


def parse(raw: bytes, what: str) -> TdReport:
    """The 584 bytes of a TD 1.0 body, one value a row of the table, or the 648 of a TD 1.5 body."""
    if len(raw) not in {SIZE_10, SIZE_15}:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: {len(raw)} bytes, expected {SIZE_10} or {SIZE_15}")
    newer = (raw[SIZE_10 : SIZE_10 + 16], raw[SIZE_10 + 16 :]) if len(raw) == SIZE_15 else (None, None)
    values: tuple[Any, ...] = (*_TD_10.unpack(raw[:SIZE_10]), *newer)
    return TdReport(raw, *values)
