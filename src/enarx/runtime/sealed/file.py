# SPDX-License-Identifier: Apache-2.0
"""A file of a sealed volume: chunks that are fetched when they are read, and sealed when they are committed."""
# ruff: noqa: D102 - methods are documented where they are first named, in `volume`

from __future__ import annotations

from typing import Protocol

from enarx.runtime.sealed.cipher import CHUNK, INDEX, NAME_SIZE, PIECE
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.errno import FBIG, WasiError
from enarx.runtime.wasi.volume import Leaf, Quota

HOLE = bytes(NAME_SIZE)
MOST_INLINE = 8
"""Names that stand in the tree itself."""
NAMES_EACH = PIECE // NAME_SIZE
MAX_SIZE = 1 << 44


class Vault(Protocol):
    """Where objects are kept: the volume that a file belongs to."""

    def fetch(self, name: bytes, kind: int, inode: int, index: int) -> bytes:
        """The plaintext of an object."""

    def keep(self, plain: bytes, kind: int, inode: int, index: int) -> bytes:
        """Seal and store; the new object's name."""

    def drop(self, *names: bytes) -> None:
        """Nothing will name these any more, from the next commit on."""

    def loaded(self) -> None:
        """A chunk more is in memory."""


class SealedFile(Leaf):
    """A file. Its size is `length`; chunks beyond what is known are zeros."""

    filetype = rights.REGULAR_FILE

    def __init__(self, quota: Quota, vault: Vault) -> None:
        super().__init__(quota)
        self.length = 0
        self.opens = 0
        self.cached: dict[int, bytearray] = {}
        self.dirty: set[int] = set()
        self._vault = vault
        self._names: list[bytes] | None = []
        self._pieces: list[tuple[bytes, bytes]] = []

    def size(self) -> int:
        return self.length

    def restore(self, length: int, names: list[bytes], *, inline: bool) -> None:
        """Be what the tree says; a longer list of chunks is read when it is needed."""
        self.length = length
        self._names = names if inline else None
        self._pieces = [] if inline else [(b"", name) for name in names]

    def names(self) -> list[bytes]:
        """The chunks' names, in order."""
        if self._names is None:
            pieces = [(self._vault.fetch(n, INDEX, self.inode, i), n) for i, (_, n) in enumerate(self._pieces)]
            self._pieces = pieces
            whole = b"".join(plain for plain, _ in pieces)
            self._names = [whole[at : at + NAME_SIZE] for at in range(0, len(whole), NAME_SIZE)]
        return self._names

    def every_name(self) -> list[bytes]:
        """The names of all objects that this file consists of."""
        return [name for name in self.names() if name != HOLE] + [name for _, name in self._pieces]

    def _chunk(self, index: int) -> bytearray:
        found = self.cached.get(index)
        if found is None:
            names = self.names()
            name = names[index] if index < len(names) else HOLE
            plain = b"" if name == HOLE else self._vault.fetch(name, CHUNK, self.inode, index)
            found = self.cached[index] = bytearray(plain)
            self._vault.loaded()
        return found

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`, none beyond the end."""
        end = min(offset + count, self.length)
        parts = []
        while offset < end:
            index, start = divmod(offset, PIECE)
            stop = min(PIECE, start + end - offset)
            part = bytes(self._chunk(index)[start:stop])
            parts.append(part.ljust(stop - start, b"\0"))
            offset += stop - start
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> int:
        """Store at `offset`; where that ends. Errno NOSPC beyond the quota, and nothing is stored then."""
        end = offset + len(data)
        if end > MAX_SIZE:
            raise WasiError(FBIG)
        if end > self.length:
            self.quota.take(end - self.length)
        view = memoryview(data)
        while view:
            index, start = divmod(offset, PIECE)
            part = view[: PIECE - start]
            chunk = self._chunk(index)
            if len(chunk) < start:
                chunk += bytes(start - len(chunk))
            chunk[start : start + len(part)] = part
            self.dirty.add(index)
            offset += len(part)
            view = view[len(part) :]
        self.length = max(self.length, end)
        self.touch()
        return end

    def resize(self, size: int) -> None:
        """Cut, or extend with zeros."""
        if size > MAX_SIZE:
            raise WasiError(FBIG)
        self.quota.take(size - self.length)
        if size < self.length:
            self._cut(size)
        self.length = size
        self.touch()

    def _cut(self, size: int) -> None:
        last, inside = divmod(size, PIECE)
        if inside:
            chunk = self._chunk(last)
            if len(chunk) > inside:
                del chunk[inside:]
                self.dirty.add(last)
        kept = last + bool(inside)
        for index in [one for one in self.cached if one >= kept]:
            del self.cached[index]
            self.dirty.discard(index)
        names = self.names()
        self._vault.drop(*names[kept:])
        del names[kept:]

    def flush(self) -> None:
        """Seal and store every chunk that has changed."""
        names = self.names()
        for index in sorted(self.dirty):
            names.extend([HOLE] * (index + 1 - len(names)))
            new = self._vault.keep(bytes(self.cached[index]), CHUNK, self.inode, index)
            self._vault.drop(names[index])
            names[index] = new
        self.dirty.clear()

    def recorded(self) -> tuple[bool, list[bytes]]:
        """What the tree says of the chunks: whether the names are the chunks', and the names."""
        if self._names is None:
            return False, [name for _, name in self._pieces]
        before, self._pieces = self._pieces, []
        if len(self._names) > MOST_INLINE:
            for at in range(0, len(self._names), NAMES_EACH):
                self._pieces.append(self._piece(at, before))
        self._vault.drop(*({name for _, name in before} - {name for _, name in self._pieces}))
        inline = not self._pieces
        return inline, list(self._names) if inline else [name for _, name in self._pieces]

    def _piece(self, at: int, before: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
        """One piece of the index; the one that is stored already where nothing of it has changed."""
        index, plain = at // NAMES_EACH, b"".join((self._names or [])[at : at + NAMES_EACH])
        if index < len(before) and before[index][0] == plain:
            return before[index]
        return plain, self._vault.keep(plain, INDEX, self.inode, index)

    def released(self) -> None:
        if self.links == 0 and self.opens == 0:
            self._vault.drop(*self.every_name())
            self.quota.take(-self.length)
            self.length = 0
            self.cached.clear()
            self.dirty.clear()
            super().released()
