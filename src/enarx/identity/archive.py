# SPDX-License-Identifier: Apache-2.0
"""The door through which the log and the list of certificates are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from enarx.errors import Misused, Reason
from enarx.identity import tiles
from enarx.identity.merkle import TILE_WIDTH, Peaks, inclusion
from enarx.identity.revocation import Revoked, Standing
from enarx.identity.schema import ENTRY, ISSUED, NODE, TREE
from enarx.identity.store import reading, unreachable
from enarx.identity.tiles import Tile


class Proof(msgspec.Struct, frozen=True):
    """That the log has an entry: its position and audit path in the tree of the checkpoint."""

    checkpoint: str
    position: int
    path: tuple[bytes, ...]


class Archive:
    """Reads; never writes. Every method is `Undetermined` when the database does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _read(self, query: Callable[[Connection], Any]) -> Any:
        try:
            with reading(self._engine) as connection:  # entries are only ever added: no transaction is needed
                return query(connection)
        except SQLAlchemyError as error:
            raise unreachable(error) from None

    def tree(self) -> Peaks:
        """The tree as it is now."""
        row = self._read(lambda connection: connection.execute(select(TREE.c.size, TREE.c.peaks)).one())
        return Peaks(row.size, row.peaks)

    def tile(self, tile: Tile) -> bytes:
        """A tile, or a bundle of entries. `Misused` when the log is not that long."""

        def query(connection: Connection) -> bytes:
            size = connection.execute(select(TREE.c.size)).scalar_one()
            tiles.require_within(tile, size)
            return _tile(connection, tile)

        raw: bytes = self._read(query)
        return raw

    def proof(self, leaf: bytes, checkpoint: Callable[[Peaks], str]) -> Proof:
        """That a leaf is in the tree as it is now. `Misused` when there is no such leaf."""

        def query(connection: Connection) -> Proof:
            position = connection.execute(select(func.min(ENTRY.c.position)).where(ENTRY.c.leaf == leaf)).scalar()
            if position is None:
                raise Misused(Reason.NOT_FOUND, "leaf")
            row = connection.execute(select(TREE.c.size, TREE.c.peaks)).one()
            subtree = tiles.subtree_reader(lambda tile: _tile(connection, tile), row.size)
            return Proof(checkpoint(Peaks(row.size, row.peaks)), position, inclusion(subtree, position, row.size))

        found: Proof = self._read(query)
        return found

    def revoked(self, tenant: str, *, when: datetime) -> tuple[Revoked, ...]:
        """The revoked certificates of a tenant that have not ended yet, by serial number."""
        wanted = (
            select(ISSUED.c.serial, ISSUED.c.revoked, ISSUED.c.reason)
            .where(ISSUED.c.tenant == tenant, ISSUED.c.revoked.is_not(None), ISSUED.c.until > when.timestamp())
            .order_by(ISSUED.c.serial)
        )
        rows = self._read(lambda connection: connection.execute(wanted).all())
        return tuple(_revoked(int.from_bytes(row.serial, "big"), row) for row in rows)

    def status(self, tenant: str, serial: int) -> Standing:
        """What is known of a serial number of this tenant's CA."""
        if serial.bit_length() > 160:
            return "unknown"
        wanted = select(ISSUED.c.revoked, ISSUED.c.reason).where(
            ISSUED.c.serial == serial.to_bytes(20, "big"), ISSUED.c.tenant == tenant
        )
        row = self._read(lambda connection: connection.execute(wanted).first())
        if row is None:
            return "unknown"
        return "good" if row.revoked is None else _revoked(serial, row)


def _revoked(serial: int, row: Any) -> Revoked:
    return Revoked(serial, datetime.fromtimestamp(row.revoked, UTC), row.reason or 0)


def _tile(connection: Connection, tile: Tile) -> bytes:
    start = tile.position * TILE_WIDTH
    if tile.level > 0:
        nodes = select(NODE.c.hash).where(NODE.c.level == tile.level).order_by(NODE.c.position)
        within = NODE.c.position.between(start, start + tile.width - 1)
        return b"".join(connection.execute(nodes.where(within)).scalars())
    column = ENTRY.c.entry if tile.level < 0 else ENTRY.c.leaf
    within = ENTRY.c.position.between(start, start + tile.width - 1)
    found = list(connection.execute(select(column).where(within).order_by(ENTRY.c.position)).scalars())
    return tiles.bundle(found) if tile.level < 0 else b"".join(found)
