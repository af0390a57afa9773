# SPDX-License-Identifier: Apache-2.0
"""HCL reports, their runtime data, and TDREPORTs."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.evidence.azure import judge
from enarx.evidence.azure_hcl import parse
from enarx.evidence.azure_tdreport import require_same
from enarx.evidence.check import Trail
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.tdx_report import parse as parse_domain
from enarx.platform.simulated.azure import SimulatedAzure

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
VM = SimulatedAzure.made(WHEN)
GENUINE = VM.evidence(b"nonce")
DOMAIN = parse_domain(bytes(584), "domain")
MEMORY: Memory[object] = Memory()


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the judge of Azure's machines."""
    for kind in (Kind.AZURE_SNP_VTPM, Kind.AZURE_TDX_VTPM):
        with driver.families():
            evidence = Evidence(kind, data, GENUINE.parts)
            judge(evidence, VM.endorsements(), anchors=VM.anchors(), when=WHEN, memory=MEMORY)
    with driver.families():
        parse(VM.hcl_report(runtime=data))
    with driver.families():
        require_same(data[:1024].ljust(1024, b"\0"), DOMAIN, Trail())
    for name in GENUINE.parts:
        with driver.families():
            evidence = Evidence(GENUINE.kind, GENUINE.body, {**GENUINE.parts, name: data})
            judge(evidence, VM.endorsements(), anchors=VM.anchors(), when=WHEN, memory=MEMORY)


if __name__ == "__main__":
    driver.main(target, (GENUINE.body, VM.runtime(), *GENUINE.parts.values()))
