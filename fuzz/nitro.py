# SPDX-License-Identifier: Apache-2.0
"""Nitro and NitroTPM documents, and what a validly signed one may hold."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.codec import cbor
from enarx.evidence.cose import parse_sign1
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nitro import judge
from enarx.evidence.nitro_document import parse
from enarx.platform.simulated.cose import sign1
from enarx.platform.simulated.nitro import hypervisor

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
HOST = hypervisor(WHEN)
MEMORY: Memory[object] = Memory()


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach the Nitro judge."""
    for kind in (Kind.NITRO, Kind.NITROTPM):
        with driver.families():
            parse(data, kind)
        with driver.families():
            judge(Evidence(kind, data), Endorsements(), anchors=HOST.anchors(), when=WHEN, memory=MEMORY)
    with driver.families():
        parse_sign1(data, "document", tag="either")
    with driver.families():  # a hypervisor that signs anything
        signed = Evidence(Kind.NITRO, sign1(data, HOST.key, tagged=False))
        judge(signed, Endorsements(), anchors=HOST.anchors(), when=WHEN, memory=MEMORY)
    with driver.families():
        document = Evidence(Kind.NITRO, GENUINE)
        judge(document, Endorsements(crls=(data,)), anchors=HOST.anchors(), when=WHEN, memory=MEMORY)


GENUINE = HOST.document(WHEN, user_data=b"bound", nonce=b"nonce")

if __name__ == "__main__":
    driver.main(target, (GENUINE, cbor.encode(HOST.payload(WHEN)), HOST.certificate, *HOST.crls(WHEN)))
