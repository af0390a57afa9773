# SPDX-License-Identifier: Apache-2.0
"""The content-addressed cache of packages, and of what was derived from them.

Nothing in it is believed: a package is hashed whenever it is used, and a derived value carries
its own digest, so that a torn or changed file is made anew.
"""

# ruff: noqa: PTH101, PTH105, PTH123 - paths here are text for other programs
from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from enarx.errors import Misused, Reason


def default_folder() -> Path:
    """Where the cache is unless somebody says otherwise (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "enarx" / "image"


class Store:
    """Bytes by their SHA-256, and derived bytes by what they were derived from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("blob", "derived"):
            try:
                (folder / name).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise Misused(Reason.FILE_UNWRITABLE, f"cache {folder}: {error.strerror}") from None

    def blob(self, sha256: str) -> bytes | None:
        """The bytes with this digest, or None when the cache has no such bytes."""
        try:
            raw = (self.folder / "blob" / sha256).read_bytes()
        except OSError:
            return None
        return raw if hashlib.sha256(raw).hexdigest() == sha256 else None

    def keep(self, raw: bytes) -> str:
        """Put bytes in; returns their digest."""
        digest = hashlib.sha256(raw).hexdigest()
        replace(self.folder / "blob" / digest, raw)
        return digest

    def derived(self, *inputs: str, make: Callable[[], bytes]) -> bytes:
        """What `make` makes of the inputs, made at most once. The inputs name everything it depends on."""
        key = hashlib.sha256("\0".join(inputs).encode()).hexdigest()
        path = self.folder / "derived" / key[:2] / key[2:]
        with contextlib.suppress(OSError):
            raw = path.read_bytes()
            if hashlib.sha256(raw[32:]).digest() == raw[:32]:
                return raw[32:]
        made = make()
        path.parent.mkdir(exist_ok=True)
        replace(path, hashlib.sha256(made).digest() + made)
        return made


def replace(path: Path, body: bytes) -> None:
    """Write a file whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        with open(handle, "wb") as out:
            out.write(body)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{path}: {error.strerror}") from None
