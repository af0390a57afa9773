# SPDX-License-Identifier: Apache-2.0
"""A simulated TDX trust domain on a simulated platform: quotes of versions 4 and 5, TD 1.0 and 1.5."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.intel_quote import TDX
from enarx.evidence.kind import Kind
from enarx.platform.simulated.intel_quote import Machine

TEE_TCB_SVN = bytes.fromhex("05010200000000000000000000000000")
"""TDX module 1.5, version 5, with the microcode that came with it."""
_SIZES_10 = {
    "tee_tcb_svn": 16,
    "mrseam": 48,
    "mrsignerseam": 48,
    "seam_attributes": 8,
    "td_attributes": 8,
    "xfam": 8,
    "mrtd": 48,
    "mrconfigid": 48,
    "mrowner": 48,
    "mrownerconfig": 48,
    "rtmr0": 48,
    "rtmr1": 48,
    "rtmr2": 48,
    "rtmr3": 48,
    "report_data": 64,
}
_SIZES_15 = {**_SIZES_10, "tee_tcb_svn_2": 16, "mrservicetd": 48}
_USUAL = {
    "tee_tcb_svn": TEE_TCB_SVN,
    "tee_tcb_svn_2": TEE_TCB_SVN,
    "td_attributes": (1 << 28).to_bytes(8, "little"),
    "xfam": bytes.fromhex("e702060000000000"),
}


class SimulatedTdx:
    """One trust domain on one machine.

    fields  what every report of the trust domain says unless asked otherwise (those of `TdReport`);
            what is not given is zero, but SEPT_VE_DISABLE is set
    """

    kind = Kind.TDX

    def __init__(self, machine: Machine, when: datetime, fields: dict[str, bytes]) -> None:
        self.machine = machine
        self.when = when
        self.fields = fields

    @classmethod
    def made(cls, when: datetime, *, machine: Machine | None = None, **fields: bytes) -> Self:
        """A trust domain on `machine`, or on a fresh one under a root of its own."""
        return cls(machine or Machine.made(when, TDX), when, {**_USUAL, **fields})

    def anchors(self) -> Anchors:
        """The anchor set in which this machine's root, and nothing else, is believed."""
        return self.machine.intel.anchors()

    def endorsements(self, **replaced: Any) -> Endorsements:
        """Current collateral for this machine; `info` and `identity` replace the JSON values."""
        return self.machine.endorsements(TDX, self.fields["tee_tcb_svn"], self.when, **replaced)

    def quote(self, report_data: bytes, *, version: int = 4, td: str = "", **fields: bytes) -> bytes:
        """A quote; `td` is "1.0" or "1.5" (usual from version 5 on), `fields` replace those of the trust domain."""
        newer = (td or ("1.5" if version >= 5 else "1.0")) == "1.5"
        said = {**self.fields, **fields, "report_data": report_data.ljust(64, b"\0")}
        sizes = _SIZES_15 if newer else _SIZES_10
        body = b"".join(said.get(name, b"").ljust(size, b"\0") for name, size in sizes.items())
        return self.machine.quote(version, TDX, 3 if newer else 2, body)

    def evidence(self, bound: bytes) -> tuple[Evidence, Endorsements]:
        """A quote over the bytes that the trust domain gives, with the machine's collateral."""
        return Evidence(Kind.TDX, self.quote(bound)), self.endorsements()
