# SPDX-License-Identifier: Apache-2.0
"""SNP reports, certificate tables, and what an AMD certificate's extensions may hold."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.codec.x509 import Certificate
from enarx.evidence import amd_certificate, snp_table
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.snp import judge, parse
from enarx.platform.simulated.snp import SimulatedSnp

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
CHIP = SimulatedSnp.made(WHEN)
MEMORY: Memory[object] = Memory()


def table() -> bytes:
    """A GHCB certificate table with the chip's own certificates."""
    leaf, ask, _ = CHIP.certificates
    at = 3 * snp_table.ROW
    rows = (
        snp_table.VCEK.bytes + at.to_bytes(4, "little") + len(leaf).to_bytes(4, "little"),
        snp_table.ASK.bytes + (at + len(leaf)).to_bytes(4, "little") + len(ask).to_bytes(4, "little"),
        bytes(snp_table.ROW),
    )
    return b"".join((*rows, leaf, ask))


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the SNP judge."""
    with driver.families():
        parse(data)
    with driver.families():
        snp_table.parse(data)
    with driver.families():
        amd_certificate.parse(Certificate(data))
    with driver.families():
        given = Endorsements() if len(data) > 1184 else CHIP.endorsements()
        judge(Evidence(Kind.SNP, data), given, anchors=CHIP.anchors(), when=WHEN, memory=MEMORY)
    with driver.families():
        judge(Evidence(Kind.SNP, CHIP.report(b"")), Endorsements((data,)), anchors=CHIP.anchors(), when=WHEN)


if __name__ == "__main__":
    report = CHIP.report(bytes(64))
    driver.main(target, (report, report + table(), table(), *CHIP.certificates))
