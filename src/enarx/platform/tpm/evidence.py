# SPDX-License-Identifier: Apache-2.0
"""This machine's TPM as a source of evidence."""

from __future__ import annotations

from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.tpm import device
from enarx.platform.tpm.device import Transport


def quoted(send: Transport, digest: bytes, log: bytes) -> tuple[Evidence, Endorsements]:
    """A quote whose extraData is `digest` (32 bytes: SHA-256 of the binding), with what a judge needs beside it."""
    made = device.quote(send, digest, log)
    parts = {
        "signature": made.signature,
        "ak_public": made.ak_public,
        "pcrs": b"".join(value for _, value in sorted(made.pcrs.items())),
        **({"event_log": made.event_log} if made.event_log else {}),
    }
    return Evidence(Kind.TPM, made.attest, parts), NOTHING
