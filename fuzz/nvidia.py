# SPDX-License-Identifier: Apache-2.0
"""SPDM reports, opaque data, device certificates, manifests and OCSP answers of NVIDIA devices."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.codec import ocsp
from enarx.codec.x509 import Certificate
from enarx.endorser.nvidia import manifest_of
from enarx.evidence import nvidia, nvidia_opaque, rim, rim_c14n, rim_xml, spdm
from enarx.evidence.authenticate import authenticate
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nvidia_identity import device_of
from enarx.platform.simulated.nvidia import SimulatedNvidia, opaque_data

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
GPU = SimulatedNvidia.made(WHEN)
MEMORY: Memory[object] = Memory()
REPORT = GPU.evidence(bytes(32))


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the NVIDIA judge."""
    for read in (
        spdm.parse,
        nvidia_opaque.parse,
        rim.parse,
        ocsp.parse,
        nvidia.certificates_of,
        lambda raw: device_of(Certificate(raw)),
        lambda raw: manifest_of(raw, "NAME"),
        lambda raw: rim_c14n.canonical(rim_xml.parse(raw, "XML"), rim_c14n.EXCLUSIVE),
    ):
        with driver.families():
            read(data)
    with driver.families():
        report = nvidia.parse(data, Kind.NVIDIA_GPU, GPU.certificates)
        nvidia.authenticate(report, Endorsements(), anchors=GPU.anchors(), when=WHEN, memory=MEMORY)
    with driver.families():
        given = Endorsements(rims=(data,), ocsp=(data,))
        authenticate(REPORT, given, anchors=GPU.anchors(), when=WHEN, memory=MEMORY)


if __name__ == "__main__":
    seeds = (REPORT.body, opaque_data(Kind.NVIDIA_GPU), *GPU.rims(), *GPU.ocsp(WHEN), *GPU.certificates)
    driver.main(target, seeds)
