# SPDX-License-Identifier: Apache-2.0
"""Compiled code, kept between runs: a cache that is believed only under a MAC of our own.

Code that is loaded is executed, so a file counts only if it carries HMAC-SHA-256 under a key that
lies beside it, readable by its owner alone. Who can read that key can run programs as the user anyway.
Everything else, a file that someone else put there included, is ignored and compiled anew. What this
process has compiled or checked it also holds, sealed, for the next guest with the same module.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import stat
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from enarx.runtime.engine.capi import library_path
from enarx.runtime.engine.machine import CONFIGURATION

CONTEXT = b"enarx-code-1\0"
MAC_SIZE = 32
KEY_SIZE = 32
MOST_ENTRIES = 64
MOST_HELD = 2
PIECE = 1 << 20
SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class CodeStore:
    """A folder of compiled code, or nothing at all where the folder cannot be trusted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = _key(folder)
        found = Path(library_path()).stat()
        self._engine = hashlib.sha256(f"{found.st_size},{found.st_mtime_ns},{CONFIGURATION}".encode()).digest()
        self._held: dict[bytes, int] = {}

    @property
    def usable(self) -> bool:
        """Whether anything can be kept."""
        return self._key is not None

    def _context(self, module: bytes) -> bytes:
        """What code belongs to: the module's digest and the engine that made it."""
        return CONTEXT + _digest(module) + self._engine

    def _path(self, context: bytes) -> Path:
        return self._folder / hashlib.sha256(context).hexdigest()

    def load(self, module: bytes) -> int | None:
        """An anonymous file with the code of a module, checked; None when there is none to believe."""
        if self._key is None:
            return None
        context = self._context(module)
        if context in self._held:
            return os.dup(self._held[context])
        try:
            source = os.open(self._path(context), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        copy = os.memfd_create("code", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            believed = self._copied(source, copy, hmac.new(self._key, context, "sha256"))
        except OSError:
            believed = False
        os.close(source)
        if believed:
            self._hold(context, copy)
            return copy
        os.close(copy)
        return None

    def _copied(self, source: int, copy: int, mac: hmac.HMAC) -> bool:
        """Copy first and check the copy, so that nobody can change the file in between."""
        size = os.fstat(source).st_size
        given = os.read(source, MAC_SIZE)
        while os.sendfile(copy, source, None, size):
            pass
        fcntl.fcntl(copy, fcntl.F_ADD_SEALS, SEALS)
        _feed(mac, copy)
        return hmac.compare_digest(mac.digest(), given)

    def save(self, module: bytes, code: int) -> None:
        """Keep the sealed code of a module; silently not, where the disk refuses."""
        if self._key is None or fcntl.fcntl(code, fcntl.F_GET_SEALS) & SEALS != SEALS:
            return
        context = self._context(module)
        self._hold(context, code)
        mac = hmac.new(self._key, context, "sha256")
        _feed(mac, code)
        target = self._path(context)
        temporary = target.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            try:
                _write(temporary, mac.digest(), code)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
            self._prune()

    def _hold(self, context: bytes, code: int) -> None:
        """Keep code that no one can change any more, and that was checked or made here."""
        with suppress(OSError):
            self._held[context] = os.dup(code)
        for oldest in list(self._held)[:-MOST_HELD]:
            os.close(self._held.pop(oldest))

    def _prune(self) -> None:
        """Forget the oldest entries."""
        entries = [entry for entry in self._folder.iterdir() if len(entry.name) == 2 * MAC_SIZE]
        entries.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        for entry in entries[MOST_ENTRIES:]:
            entry.unlink(missing_ok=True)


@lru_cache(MOST_HELD)
def _digest(module: bytes) -> bytes:
    return hashlib.sha256(module).digest()


def _feed(mac: hmac.HMAC, descriptor: int) -> None:
    at = 0
    while piece := os.pread(descriptor, PIECE, at):
        mac.update(piece)
        at += len(piece)


def _write(path: Path, mac: bytes, code: int) -> None:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(target, mac)
        size, at = os.fstat(code).st_size, 0
        while at < size:
            at += os.sendfile(target, code, at, size - at)
    finally:
        os.close(target)


def _key(folder: Path) -> bytes | None:
    """The MAC key, made on first use; None unless only this user can read and replace it."""
    path = folder / "key"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            _write_key(path)
        if not (_private(os.lstat(folder)) and _private(os.lstat(path))):
            return None
        key = path.read_bytes()
        return key if len(key) == KEY_SIZE else None
    return None


def _write_key(path: Path) -> None:
    """Complete under a temporary name first: two runs may start at once."""
    temporary = path.with_suffix(f".{os.getpid()}")
    if path.exists():
        return
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, os.urandom(KEY_SIZE))
        os.link(temporary, path)
    finally:
        os.close(descriptor)
        temporary.unlink()


def _private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
