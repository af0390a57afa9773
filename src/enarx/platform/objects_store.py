# SPDX-License-Identifier: Apache-2.0
"""Sealed storage on the host: a folder with one file an object, and a launcher that serves it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from enarx.errors import Misused, Reason, Undetermined
from enarx.platform.answering import answering
from enarx.platform.objects import respond

ROOT = "root"
_HALF = ".half"


class FolderObjects:
    """Objects in a folder of this machine. `root` is on the disk, with everything before it, when `put` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fresh: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Misused(Reason.FILE_UNWRITABLE, f"{folder}: {(error.strerror or '').lower()}") from None

    def get(self, name: str) -> bytes | None:
        """The bytes, or None."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Undetermined(Reason.FILE_UNREADABLE, f"{name}: {(error.strerror or '').lower()}") from None

    def put(self, name: str, raw: bytes) -> None:
        """Store, replacing whole what was there."""
        half = self._folder / f"{name}{_HALF}"
        try:
            half.write_bytes(raw)
            if name == ROOT:
                for path in (*self._fresh, half):
                    _to_disk(path)
                self._fresh.clear()
            half.replace(self._folder / name)
            if name == ROOT:
                _to_disk(self._folder)
            else:
                self._fresh.append(self._folder / name)
        except OSError as error:
            raise Undetermined(Reason.FILE_UNWRITABLE, f"{name}: {(error.strerror or '').lower()}") from None

    def remove(self, names: Iterable[str]) -> None:
        """Forget."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)

    def names(self) -> Iterable[str]:
        """Every name."""
        return [entry.name for entry in os.scandir(self._folder) if not entry.name.endswith(_HALF)]


def _to_disk(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def served(folder: Path) -> socket.socket:
    """A stream at whose other end the folder is served, for one Keep."""
    objects = FolderObjects(folder)
    return answering("sealed storage", lambda message: respond(objects, message))
