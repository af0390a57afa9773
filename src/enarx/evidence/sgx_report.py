# SPDX-License-Identifier: Apache-2.0
"""The report that the processor makes of an SGX enclave: of a guest's, and of the quoting enclave.

Intel SDM volume 3D, table 38-21 (REPORT), the 384 bytes that a quote signs over.
"""

from __future__ import annotations

import msgspec

from enarx.codec.cursor import Cursor

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


def parse(raw: bytes, what: str) -> EnclaveReport:
    """The 384 bytes of a report body; `Malformed` if reserved bytes are set."""
    c = Cursor(raw, what)
    cpusvn = c.take(16, "CPUSVN")
    misc_select = c.take(4, "MISCSELECT")
    c.zeros(12, "reserved at 20")
    isv_ext_prod_id = c.take(16, "ISVEXTPRODID")
    attributes = c.take(16, "ATTRIBUTES")
    mrenclave = c.take(32, "MRENCLAVE")
    c.zeros(32, "reserved at 96")
    mrsigner = c.take(32, "MRSIGNER")
    c.zeros(32, "reserved at 160")
    config_id = c.take(64, "CONFIGID")
    isvprodid = c.little(2, "ISVPRODID")
    isvsvn = c.little(2, "ISVSVN")
    config_svn = c.little(2, "CONFIGSVN")
    c.zeros(42, "reserved at 262")
    isv_family_id = c.take(16, "ISVFAMILYID")
    report_data = c.take(64, "REPORTDATA")
    c.done()
    return EnclaveReport(
        raw,
        cpusvn,
        misc_select,
        isv_ext_prod_id,
        attributes,
        mrenclave,
        mrsigner,
        config_id,
        isvprodid,
        isvsvn,
        config_svn,
        isv_family_id,
        report_data,
    )
