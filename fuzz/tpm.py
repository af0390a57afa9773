# SPDX-License-Identifier: Apache-2.0
"""TPM quotes: each part of one from a stranger, and boot logs."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.event_log import misdescribed, parse, replay
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.tpm import certificates_in, judge
from enarx.evidence.tpm_attest import parse as parse_attest
from enarx.evidence.tpm_key import parse as parse_key
from enarx.evidence.tpm_signature import parse as parse_signature
from enarx.platform.simulated.tpm import SimulatedTpm

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
TPM = SimulatedTpm.made(WHEN)
GENUINE = TPM.evidence(b"nonce")
KEY = parse_key(TPM.public())
MEMORY: Memory[object] = Memory()


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the TPM judge."""
    with driver.families():
        log = parse(data)
        replay(log, "sha-256")
        misdescribed(log, "sha-256")
    for read in (parse_attest, parse_key, certificates_in):
        with driver.families():
            read(data)
    with driver.families():
        parse_signature(data, KEY)
    with driver.families():
        judge(Evidence(Kind.TPM, data, GENUINE.parts), NOTHING, anchors=TPM.anchors(), when=WHEN, memory=MEMORY)
    with driver.families():  # a TPM that signs anything
        parts = {**GENUINE.parts, "signature": TPM.signed(data)}
        judge(Evidence(Kind.TPM, data, parts), NOTHING, anchors=TPM.anchors(), when=WHEN, memory=MEMORY)
    for name in GENUINE.parts:
        with driver.families():
            evidence = Evidence(Kind.TPM, GENUINE.body, {**GENUINE.parts, name: data})
            judge(evidence, NOTHING, anchors=TPM.anchors(), when=WHEN, memory=MEMORY)


if __name__ == "__main__":
    driver.main(target, (GENUINE.body, *GENUINE.parts.values()))
