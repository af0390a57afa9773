# SPDX-License-Identifier: Apache-2.0
"""Wrappers, X.509 extensions with wrappers, register values, and bundles."""

from __future__ import annotations

from datetime import UTC, datetime

import driver

from enarx.cli.bundle import Record, load, save
from enarx.evidence import cmw
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.tpm_attest import Selection
from enarx.evidence.tpm_pcrs import parse as parse_pcrs

MEMBERS = (Evidence(Kind.SNP, b"report", {"certificate_table": b"table"}), Evidence(Kind.PSA, b"token"))
RECORD = Record(b"policy", datetime(2026, 1, 1, tzinfo=UTC), "accepted", b"binding")
BUNDLE = save(MEMBERS, (Endorsements((b"certificate",), (b"crl",)), Endorsements()), record=RECORD)
SELECTIONS = (Selection("sha-256", tuple(range(24))),)
VALUES = b"".join(f"{index}: {'ab' * 32}\n".encode() for index in range(24))


def target(data: bytes) -> None:
    """Containers, none of which is signed by anybody."""
    for read in (cmw.decode, cmw.from_extension, load):
        with driver.families():
            read(data)
    with driver.families():
        parse_pcrs(data, SELECTIONS)


if __name__ == "__main__":
    wrapped = (cmw.encode(MEMBERS), cmw.encode_json(MEMBERS))
    driver.main(
        target, (*wrapped, *map(cmw.extension_value, wrapped), BUNDLE, VALUES, b'{"sha256":["' + b"ab" * 32 + b'"]}')
    )
