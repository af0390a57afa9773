# SPDX-License-Identifier: Apache-2.0
"""The report that the processor makes of an SGX enclave: of a guest's, and of the quoting enclave.

Intel SDM volume 3D, table 38-21 (REPORT), the 384 bytes that a quote signs over.
"""

from __future__ import annotations

from struct import Struct

import msgspec

from enarx.errors import Malformed, Reason

SIZE = 384
DEBUG, MODE64, PROVISION_KEY, EINITTOKEN_KEY, CET, KSS = 1 << 1, 1 << 2, 1 << 4, 1 << 5, 1 << 6, 1 << 7
"""Bits of ATTRIBUTES.FLAGS (SDM table 38-3)."""


class EnclaveReport(msgspec.Struct, frozen=True):
    """An enclave's report body. Byte strings stand as in the report, integers are little endian there.

    cpusvn 16, misc_select 4, isv_ext_prod_id 16, attributes 16 (flags 8, XFRM 8), mrenclave 32,
    mrsigner 32, config_id 64, isv_family_id 16, report_data 64 bytes
    """

    raw: bytes
    cpusvn: bytes
    misc_select: bytes
    isv_ext_prod_id: bytes
    attributes: bytes
    mrenclave: bytes
    mrsigner: bytes
    config_id: bytes
    isvprodid: int
    isvsvn: int
    config_svn: int
    isv_family_id: bytes
    report_data: bytes

    def flags(self) -> int:
        """ATTRIBUTES.FLAGS."""
        return int.from_bytes(self.attributes[:8], "little")

    def debug(self) -> bool:
        """The enclave's memory can be read by a debugger."""
        return bool(self.flags() & DEBUG)


_LAYOUT = (
    ("CPUSVN", "16s"),
    ("MISCSELECT", "4s"),
    ("ISVEXTPRODID", "12x16s"),
    ("ATTRIBUTES", "16s"),
    ("MRENCLAVE", "32s"),
    ("MRSIGNER", "32x32s"),
    ("CONFIGID", "32x64s"),
    ("ISVPRODID", "H"),
    ("ISVSVN", "H"),
    ("CONFIGSVN", "H"),
    ("ISVFAMILYID", "42x16s"),
    ("REPORTDATA", "64s"),
)
"""Each field with the reserved bytes before it."""
_REPORT = Struct("<" + "".join(form for _, form in _LAYOUT))
_RESERVED = ((20, 32), (96, 128), (160, 192), (262, 304))


def parse(raw: bytes, what: str) -> EnclaveReport:
    """The 384 bytes of a report body; `Malformed` if reserved bytes are set."""
    if len(raw) != SIZE:
        raise Malformed(Reason.WRONG_LENGTH, f"{what}: {len(raw)} bytes, expected {SIZE}")
    for start, stop in _RESERVED:
        if raw.count(0, start, stop) != stop - start:
            raise Malformed(Reason.RESERVED_NOT_ZERO, f"{what}: reserved at {start}")
    return EnclaveReport(raw, *_REPORT.unpack(raw))
