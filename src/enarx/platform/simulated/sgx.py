# SPDX-License-Identifier: Apache-2.0
"""A simulated SGX enclave on a simulated platform: quotes of version 3, or of versions 4 and 5."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.intel_quote import SGX
from enarx.evidence.kind import Kind
from enarx.platform.simulated.intel_quote import Machine, enclave

NO_SVN = bytes(16)


class SimulatedSgx:
    """One enclave on one machine.

    fields  what every report of the enclave says unless asked otherwise (those of `EnclaveReport`)
    """

    kind = Kind.SGX

    def __init__(self, machine: Machine, when: datetime, fields: dict[str, Any]) -> None:
        self.machine = machine
        self.when = when
        self.fields = fields

    @classmethod
    def made(cls, when: datetime, *, machine: Machine | None = None, **fields: Any) -> Self:
        """An enclave on `machine`, or on a fresh one under a root of its own."""
        return cls(machine or Machine.made(when, SGX), when, fields)

    def anchors(self) -> Anchors:
        """The anchor set in which this machine's root, and nothing else, is believed."""
        return self.machine.intel.anchors()

    def endorsements(self, **replaced: Any) -> Endorsements:
        """Current collateral for this machine; `info` and `identity` replace the JSON values."""
        return self.machine.endorsements(SGX, NO_SVN, self.when, **replaced)

    def quote(self, report_data: bytes, *, version: int = 3, **fields: Any) -> bytes:
        """A quote; `report_data` is padded to 64 bytes, `fields` replace those of the enclave."""
        said = enclave(**{**self.fields, **fields, "report_data": report_data.ljust(64, b"\0")})
        return self.machine.quote(version, SGX, 1, said.raw)

    def evidence(self, bound: bytes) -> tuple[Evidence, Endorsements]:
        """A quote over the bytes that the enclave gives, with the machine's collateral."""
        return Evidence(Kind.SGX, self.quote(bound)), self.endorsements()
