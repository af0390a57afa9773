# SPDX-License-Identifier: Apache-2.0
"""Tiles: the log's tree cut into files that never change (c2sp.org/tlog-tiles).

A tile of level L holds up to 256 hashes of subtrees of 256**L leaves. Paths are
`tile/L/N[.p/W]`, where N is written in groups of three digits, all but the last after an `x`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from enarx.errors import Malformed, Misused, Reason
from enarx.identity.merkle import SIZE, TILE_HEIGHT, TILE_WIDTH, node_hash

MAX_LEVEL = 5
"""256**6 leaves are more than anyone will issue."""
_PATH = re.compile(r"(?P<level>entries|[0-5])/(?P<groups>(?:x\d{3}/){0,5}\d{3})(?:\.p/(?P<width>[1-9]\d{0,2}))?")


class Tile(msgspec.Struct, frozen=True):
    """Which tile. `level` -1 is a bundle of entries; `width` is how many of 256 it has."""

    level: int
    position: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """Its address below the log's prefix."""
        number = f"{self.position:03d}"
        number = number.zfill(-(-len(number) // 3) * 3)
        groups = [number[at : at + 3] for at in range(0, len(number), 3)]
        said = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level < 0 else self.level}/{said}{partial}"


def parse(path: str) -> Tile:
    """The tile at an address below `tile/`; `Malformed` unless it is the one spelling."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise Malformed(Reason.SYNTAX, "tile address")
    level = -1 if found["level"] == "entries" else int(found["level"])
    position = int(found["groups"].replace("x", "").replace("/", ""))
    tile = Tile(level, position, int(found["width"]) if found["width"] else TILE_WIDTH)
    if tile.path() != f"tile/{path}":
        raise Malformed(Reason.NOT_CANONICAL, "tile address")
    return tile


def require_within(tile: Tile, size: int) -> None:
    """The tree of `size` leaves has that many hashes in this tile."""
    hashes = size >> (TILE_HEIGHT * max(0, tile.level))
    if tile.position * TILE_WIDTH + tile.width > hashes:
        raise Misused(Reason.NOT_FOUND, "tile beyond the end of the log")


def bundle(entries: list[bytes]) -> bytes:
    """A bundle of entries: each after its length in 2 bytes."""
    return b"".join(len(one).to_bytes(2, "big") + one for one in entries)


def unbundle(raw: bytes) -> list[bytes]:
    """The entries of a bundle."""
    entries: list[bytes] = []
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 2], "big")
        if at + 2 + size > len(raw):
            raise Malformed(Reason.TRUNCATED, "bundle of entries")
        entries.append(raw[at + 2 : at + 2 + size])
        at += 2 + size
    return entries


def subtree_reader(read: Callable[[Tile], bytes], size: int) -> Callable[[int, int], bytes]:
    """`enarx.identity.merkle.Subtree` out of the tiles of a tree of `size` leaves; each tile is read once."""
    kept: dict[tuple[int, int], list[bytes]] = {}

    def hashes(level: int, position: int) -> list[bytes]:
        known = kept.get((level, position))
        if known is None:
            there = (size >> (TILE_HEIGHT * level)) - position * TILE_WIDTH
            width = min(TILE_WIDTH, there)
            raw = read(Tile(level, position, width))
            if len(raw) != width * SIZE:
                raise Malformed(Reason.WRONG_LENGTH, "tile")
            known = kept[level, position] = [raw[at : at + SIZE] for at in range(0, len(raw), SIZE)]
        return known

    def subtree(height: int, position: int) -> bytes:
        level, inside = divmod(height, TILE_HEIGHT)
        first = position << inside
        tile, offset = divmod(first, TILE_WIDTH)
        found = hashes(level, tile)[offset : offset + (1 << inside)]
        while len(found) > 1:
            found = [node_hash(found[at], found[at + 1]) for at in range(0, len(found), 2)]
        return found[0]

    return subtree
