# SPDX-License-Identifier: Apache-2.0
"""Files that are named on the command line: read with a cap, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from enarx.errors import Malformed, Misused, Reason

T = TypeVar("T")


def read(path: Path, *, limit: int) -> bytes:
    """The bytes of a file of at most `limit` bytes."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if len(raw) > limit:
        raise Malformed(Reason.TOO_LARGE, f"{path}: more than {limit} bytes")
    return raw


def parsed(path: Path, parse: Callable[[bytes], T], *, limit: int) -> T:
    """What `parse` makes of a file; its refusal names the file."""
    raw = read(path, limit=limit)
    try:
        return parse(raw)
    except Malformed as error:
        raise Malformed(error.reason, f"{path}: {error.subject}", hint=error.hint) from None


def require_writable(path: Path) -> None:
    """There is a folder for a file that is to be written, before any work is done for it."""
    if not os.access(path.parent, os.W_OK):
        folder = path.parent
        raise Misused(Reason.FILE_UNWRITABLE, f"{path}: {folder}: {'not writable' if folder.is_dir() else 'no folder'}")


def write(path: Path, raw: bytes, *, mode: int = 0o644) -> None:
    """Replace a file by `raw`, so that a reader sees the old bytes or the new, never half."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{path}: {(error.strerror or 'cannot be written').lower()}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise Misused(Reason.FILE_UNWRITABLE, f"{path}: {(error.strerror or 'cannot be written').lower()}") from None
