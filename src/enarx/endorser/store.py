# SPDX-License-Identifier: Apache-2.0
"""Endorsements kept on disk: written whole or not at all, and verified again whenever they are read.

The folder is a cache, not a place of trust. A file that no longer verifies is as good as none.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from enarx.codec.digest import sha256
from enarx.endorser.request import Kept, Read
from enarx.errors import EnarxError, Misused, Reason

MAX_BYTES = 16 << 20


class Store:
    """Bytes by name, in one folder. Several processes may use it at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def _path(self, name: str) -> Path:
        return self._directory / f"{sha256(name.encode()).hex()}.bin"

    def read(self, name: str, verify: Read) -> Kept | None:
        """What is kept under `name`, verified now; None if there is nothing that can be believed."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError:
            return None
        try:
            return verify(raw) if len(raw) <= MAX_BYTES else None
        except EnarxError:
            return None

    def keep(self, name: str, raw: bytes, found: Kept, verify: Read) -> Kept:
        """Keep a verified document, unless a newer one is there; returns the one that counts.

        A server that is behind, or that lies about what is newest, takes nothing back.
        """
        known = self.read(name, verify)
        if known is not None and known.rank > found.rank:
            return known
        self._write(self._path(name), raw)
        return found

    def _write(self, path: Path, raw: bytes) -> None:
        """Through a new file beside it, so that nobody ever reads half of one."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._directory, prefix=".", suffix=".new")
        except OSError as error:
            raise Misused(Reason.FILE_UNWRITABLE, f"{self._directory}: {error.strerror}") from None
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise Misused(Reason.FILE_UNWRITABLE, f"{path}: {error.strerror}") from None
