# SPDX-License-Identifier: Apache-2.0
"""Content-addressed bytes in a folder: whole and synced under their SHA-256, or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from enarx.errors import Faulty, Misused, Reason, Unacceptable

STALE = 86_400
"""Seconds after which nobody is still writing an incoming file."""


class Incoming:
    """Bytes on their way in. Nobody can read them before `Blobs.keep`."""

    __slots__ = ("_file", "_hash", "name")

    def __init__(self, file: BinaryIO, name: Path) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.name = name

    def write(self, piece: bytes) -> None:
        """The next piece."""
        self._file.write(piece)
        self._hash.update(piece)

    def finish(self) -> bytes:
        """Put everything on disk; returns the SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._hash.digest()


class Blobs:
    """A folder of blobs: `blobs/ab/cdef…`, and `incoming/` for what is not whole."""

    __slots__ = ("_blobs", "_incoming")

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be, and clear what a process left unfinished a day ago."""
        self._blobs, self._incoming = folder / "blobs", folder / "incoming"
        try:
            for one in (folder, self._blobs, self._incoming):
                one.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in self._incoming.iterdir():
                if time.time() - left.stat().st_mtime > STALE:  # noqa: TID251 - a door
                    left.unlink()
        except OSError as error:
            raise Misused(Reason.FILE_UNWRITABLE, f"store {folder}: {error.strerror}") from None

    def path(self, digest: bytes) -> Path:
        """Where the blob of this SHA-256 lies."""
        text = digest.hex()
        return self._blobs / text[:2] / text[2:]

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Incoming]:
        """A place to write; whatever is not kept by the end is gone."""
        handle, name = tempfile.mkstemp(dir=self._incoming)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield Incoming(file, path)
        finally:
            path.unlink(missing_ok=True)

    def keep(self, incoming: Incoming, digest: bytes) -> None:
        """Make finished bytes a blob, atomically and for good."""
        target = self.path(digest)
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _sync(target.parent.parent)
        incoming.name.replace(target)
        _sync(target.parent)

    def open(self, digest: bytes) -> BinaryIO:
        """The blob's bytes, to be read and closed by the caller. Whether they are the right ones, readers check."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError:
            raise Unacceptable(Reason.NOT_FOUND, "Not found") from None
        except OSError as error:
            raise Faulty(Reason.FILE_UNREADABLE, f"Storage backend failure: blob: {error.strerror}") from None

    def read(self, digest: bytes) -> bytes:
        """The blob's bytes at once, for directories."""
        with self.open(digest) as file:
            return file.read()

    def drop(self, digest: bytes) -> None:
        """Remove a blob that nothing names any more."""
        self.path(digest).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
