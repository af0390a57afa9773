# SPDX-License-Identifier: Apache-2.0
"""The issuance log over HTTP: checkpoint, tiles, and a proof for whoever has no use for tiles."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, get
from litestar.params import Parameter

from enarx.codec.digest import unhex
from enarx.identity import tiles
from enarx.identity.archive import Archive, Proof
from enarx.identity.log import LogKey, verifier_key
from enarx.identity.merkle import TILE_WIDTH, Peaks

_FOREVER = {"cache-control": "public, max-age=604800, immutable"}
_NOW = {"cache-control": "no-store"}


def routes(archive: Archive, key: LogKey) -> list[Any]:
    """The handlers."""

    def signed(peaks: Peaks) -> str:
        return key.checkpoint(peaks.size, peaks.root()).decode()

    @get("/log/checkpoint", sync_to_thread=True)
    def checkpoint() -> Response[str]:
        """The tree as it is now, signed (c2sp.org/tlog-checkpoint)."""
        return Response(signed(archive.tree()), media_type="text/plain; charset=utf-8", headers=_NOW)

    @get("/log/key")
    async def public_key() -> Response[str]:
        """The key that signs checkpoints, as other tools read it: NAME+HASH+BASE64."""
        return Response(verifier_key(key.origin, key.public), media_type="text/plain; charset=utf-8")

    @get("/log/tile/{path:path}", sync_to_thread=True, include_in_schema=False)
    def tile(path: str) -> Response[bytes]:
        """A tile (c2sp.org/tlog-tiles)."""
        wanted = tiles.parse(path.removeprefix("/"))
        whole = wanted.width == TILE_WIDTH
        return Response(
            archive.tile(wanted), media_type="application/octet-stream", headers=_FOREVER if whole else _NOW
        )

    @get("/log/proof", sync_to_thread=True)
    def proof(leaf: Annotated[str, Parameter(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")]) -> Proof:
        """That the log has the leaf with this hash, in the tree as it is now."""
        return archive.proof(unhex(leaf, "leaf", size=32), signed)

    return [checkpoint, public_key, tile, proof]
