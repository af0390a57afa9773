# SPDX-License-Identifier: Apache-2.0
"""A piece of evidence as it arrives: its kind, its bytes, and the bytes that belong to it."""

from __future__ import annotations

import msgspec

from enarx.evidence.kind import Kind


class Evidence(msgspec.Struct, frozen=True):
    """Unjudged evidence of one attester.

    kind   the format, as the sender names it; a parser that disagrees refuses
    body   the signed document: report, quote, token, TPMS_ATTEST, HCL report
    parts  what the format needs beside it, by the name its parser documents (a TPM quote's
           "signature", "ak_public", "pcrs", "event_log"; a GPU's "certificates")
    """

    kind: Kind
    body: bytes
    parts: dict[str, bytes] = {}
