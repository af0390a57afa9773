# SPDX-License-Identifier: Apache-2.0
"""How far the log had come, in a file outside its database: a database that forgot is noticed at the start."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from enarx.errors import EnarxError, Misused, Reason
from enarx.identity import tiles
from enarx.identity.archive import Archive
from enarx.identity.log import LogKey, parse_checkpoint
from enarx.identity.merkle import Peaks, range_root

EVERY = 2.0
HINT = "see docs/steward/database.md: a log that forgot entries is ended, and another one begun"


class Remembered:
    """The last checkpoint, beside the log's key. Written now and then, and when the service ends."""

    def __init__(self, path: Path, archive: Archive, key: LogKey) -> None:
        self._path = path
        self._archive = archive
        self._key = key
        self._written = -1
        self._task: asyncio.Task[None] | None = None

    def require_no_loss(self) -> None:
        """The log begins with what it was; `Misused` when it is shorter, or its beginning is another."""
        if not self._path.exists():
            return
        seen = parse_checkpoint(self._path.read_bytes(), self._key.public)
        now = self._archive.tree()
        if now.size < seen.size:
            raise Misused(Reason.INCONSISTENT, f"the log has {now.size} entries and had {seen.size}", hint=HINT)
        subtree = tiles.subtree_reader(self._archive.tile, now.size)
        if seen.size and range_root(subtree, 0, seen.size) != seen.root:
            raise Misused(Reason.INCONSISTENT, f"the log's first {seen.size} entries are not what they were", hint=HINT)

    async def start(self) -> None:
        """Write every other second from here on."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write once more."""
        if self._task is not None:
            self._task.cancel()
        with contextlib.suppress(EnarxError, OSError):
            await asyncio.to_thread(self.write)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            with contextlib.suppress(EnarxError, OSError):  # what cannot be written now is written next time
                await asyncio.to_thread(self.write)

    def write(self) -> None:
        """Remember the log as it is, when it has grown."""
        peaks: Peaks = self._archive.tree()
        if peaks.size <= self._written:
            return
        fresh = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fresh.write_bytes(self._key.checkpoint(peaks.size, peaks.root()))
        fresh.replace(self._path)
        self._written = peaks.size
