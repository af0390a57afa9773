# SPDX-License-Identifier: Apache-2.0
"""The certificate table that a host hands over beside a report (GHCB 2.0, section 4.1.8.1).

A row is a GUID, an offset and a length; a row of zeros ends the rows. The GHCB protocol stores
GUIDs as RFC 4122 does, the SVSM protocol as Microsoft does, and AMD confirms that both are
meant: whoever received the table knows which, it is never guessed.
"""

from __future__ import annotations

import uuid
from enum import StrEnum

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.snp_report import SIZE

ROW = 24
MAX_ROWS = 32
MAX_BYTES = 1 << 20

VCEK = uuid.UUID("63da758d-e664-4564-adc5-f4b93be8accd")
VLEK = uuid.UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1")
ASK = uuid.UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782")
ARK = uuid.UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae")
CRL = uuid.UUID("92f81bc3-5811-4d3d-97ff-d19f88dc67ea")
KNOWN = (VCEK, VLEK, ASK, ARK, CRL)
_CERTIFICATES = {VCEK, VLEK, ASK, ARK}


class GuidOrder(StrEnum):
    """Which protocol the table came by."""

    GHCB = "ghcb"
    SVSM = "svsm"


class CertificateTable(msgspec.Struct, frozen=True):
    """What a table holds: DER certificates and CRLs. Other rows are left out."""

    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]


def parse(raw: bytes, order: GuidOrder = GuidOrder.GHCB) -> CertificateTable:
    """Read a table: rows inside `raw`, without overlap or duplicates, and zeros where nothing is."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"certificate table: {len(raw)} bytes")
    cursor = Cursor(raw, "certificate table")
    rows: dict[uuid.UUID, tuple[int, int]] = {}
    while (row := _row(cursor, order)) is not None:
        guid, start, stop = row
        if guid in rows:
            raise Malformed(Reason.DUPLICATE, f"certificate table: {guid}")
        if len(rows) == MAX_ROWS:
            raise Malformed(Reason.TOO_LARGE, f"certificate table: more than {MAX_ROWS} rows")
        rows[guid] = start, stop
    _tiled(raw, cursor.at, rows)
    found = {guid: raw[start:stop] for guid, (start, stop) in rows.items()}
    return CertificateTable(
        tuple(blob for guid, blob in found.items() if guid in _CERTIFICATES),
        tuple(blob for guid, blob in found.items() if guid == CRL),
    )


def split(raw: bytes) -> tuple[bytes, bytes]:
    """An extended report as the report and what follows it."""
    return raw[:SIZE], raw[SIZE:]


def _row(cursor: Cursor, order: GuidOrder) -> tuple[uuid.UUID, int, int] | None:
    name = cursor.take(16, "GUID")
    start = cursor.little(4, "offset")
    size = cursor.little(4, "length")
    if not any(name):
        if start or size:
            raise Malformed(Reason.RESERVED_NOT_ZERO, "certificate table: last row")
        return None
    guid = uuid.UUID(bytes=name) if order is GuidOrder.GHCB else uuid.UUID(bytes_le=name)
    return guid, start, start + size


def _tiled(raw: bytes, end_of_rows: int, rows: dict[uuid.UUID, tuple[int, int]]) -> None:
    """Blobs lie behind the rows, inside `raw`, apart; between and behind them is zero padding."""
    at = end_of_rows
    for start, stop in sorted(rows.values()):
        if start < at or stop > len(raw) or start == stop:
            raise Malformed(Reason.INCONSISTENT, f"certificate table: {start:#x}..{stop:#x} of {len(raw):#x}")
        _padding(raw, at, start)
        at = stop
    _padding(raw, at, len(raw))


def _padding(raw: bytes, start: int, stop: int) -> None:
    if any(raw[start:stop]):
        raise Malformed(Reason.TRAILING_BYTES, f"certificate table: {start:#x}..{stop:#x} is not padding")


def added(endorsements: Endorsements, table: CertificateTable) -> Endorsements:
    """The endorsements and, behind them, what the table holds."""
    return msgspec.structs.replace(
        endorsements,
        certificates=(*endorsements.certificates, *table.certificates),
        crls=(*endorsements.crls, *table.crls),
    )
