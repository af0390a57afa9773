# SPDX-License-Identifier: Apache-2.0
"""Captures of AWS: enclaves and NitroTPM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from enarx.cli.vectors.descriptor import Case, Outcome, Vector
from enarx.codec.x509 import Certificate, from_pem
from enarx.errors import EnarxError
from enarx.evidence import nitro
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.kind import Kind
from enarx.evidence.nitro_document import parse


def judge(vector: Vector, case: Case, files: Mapping[str, bytes], *, production: Anchors) -> Outcome:
    """What comes of one case."""
    try:
        document = parse(files[vector.evidence], Kind(vector.kind))
        made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=document.timestamp)
        anchors = _anchors(case, files) or production
        crls = tuple(raw for name, raw in sorted(files.items()) if name.startswith("crl"))
        claims = nitro.authenticate(document, Endorsements(crls=crls), anchors=anchors, when=case.when or made)
    except EnarxError as error:
        return Outcome(verdict=error.family, reason=str(error))
    return Outcome(verdict="authentic", debug=claims.debug(), claims=claims.facts())


def _anchors(case: Case, files: Mapping[str, bytes]) -> Anchors | None:
    if case.anchors is None:
        return None
    raw = files[case.anchors]
    found = from_pem(raw, "anchors") if raw.lstrip().startswith(b"-----") else (Certificate(raw, "anchors"),)
    return Anchors(case.anchors, {Vendor.AWS: found})
