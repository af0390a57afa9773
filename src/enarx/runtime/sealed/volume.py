# SPDX-License-Identifier: Apache-2.0
"""One sealed volume, open: its tree in memory, its contents with the host, and commits in between."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable
from typing import Protocol

from enarx.codec.digest import sha256
from enarx.errors import Reason, Unauthentic
from enarx.runtime.sealed import record, tree
from enarx.runtime.sealed.cipher import PIECE, TREE, Cipher, Scope, name_of, new_cipher
from enarx.runtime.sealed.file import HOLE, SealedFile
from enarx.runtime.sealed.record import ROOT_NAME, Held, Opened, Root
from enarx.runtime.wasi.volume import Node, Quota

STORAGE = 256 << 20
MOST_CACHED = 256
"""Chunks that are kept in memory though they could be fetched again."""
COMMIT_EVERY = 1.0
"""Seconds after which what was written is committed without being asked."""
_PLENTY = 1 << 62


class Objects(Protocol):
    """The untrusted host's side: bytes by name. Raises EnarxError when it does not do what it is asked."""

    def get(self, name: str) -> bytes | None:
        """The bytes that are said to have this name; None when there are none."""

    def put(self, name: str, raw: bytes) -> None:
        """Store, replacing whole what had this name; on the disk when it returns."""

    def remove(self, names: Iterable[str]) -> None:
        """Forget."""

    def names(self) -> Iterable[str]:
        """What is stored."""


class Sealing(Protocol):
    """Where the sealing root comes from, and who holds the version."""

    root: bytes
    held: Held | None
    detected: bool

    def hold(self, version: int, digest: bytes) -> None:
        """Have it written down outside; raises EnarxError when nobody does."""


class _Inodes(Quota):
    """Room for the whole tree, whatever was set, until it is loaded; and inodes that go on counting."""

    def __init__(self) -> None:
        super().__init__(_PLENTY)

    def settle(self, storage: int, following: int) -> None:
        """From now on so many bytes altogether, and inodes from `following` on."""
        self.left = storage - (_PLENTY - self.left)
        self._last_inode = max(following, tree.TOP + 1) - 1

    def following(self) -> int:
        """The inode that comes next."""
        return self._last_inode + 1


class Volume:
    """Opened with what the host shows; refuses what is not the tenant's newest. One thread at a time."""

    def __init__(self, objects: Objects, sealing: Sealing, scope: Scope, storage: int = STORAGE) -> None:
        self._objects = objects
        self._sealing = sealing
        self._scope = scope
        self._garbage: set[bytes] = set()
        self._pieces: list[tuple[bytes, bytes]] = []
        self._unheld: tuple[int, bytes] | None = None
        self._committed = time.monotonic()
        self._cached = 0
        self.nodes: weakref.WeakValueDictionary[int, Node] = weakref.WeakValueDictionary()
        self.changed = False
        self._quota = _Inodes()
        found = self._found()
        if sealing.detected:
            record.require_fresh(found, sealing.held)
        self.cipher: Cipher = found.cipher if found else new_cipher()
        self._version = found.root.version if found else 0
        self._digest = found.digest if found else b""
        self.top = tree.SealedFolder(self._quota, self, self._know)
        self._know(self.top)
        self._load(found)
        self._quota.settle(storage, found.root.following if found else 0)

    def _found(self) -> Opened | None:
        raw = self._objects.get(ROOT_NAME)
        return None if raw is None else record.decode(raw, self._sealing.root, self._scope)

    def _know(self, node: Node) -> None:
        self.nodes[node.inode] = node

    def _load(self, found: Opened | None) -> None:
        if found is None:
            return
        for index, name in enumerate(found.root.tree):
            self._pieces.append((self.fetch(name, TREE, 0, index), name))
        tree.restore(b"".join(plain for plain, _ in self._pieces), self.top, self)
        needed = {name.hex() for name in self._needed()} | {ROOT_NAME}
        self._objects.remove([name for name in self._objects.names() if name not in needed])
        if self._sealing.detected and (self._sealing.held is None or self._sealing.held.digest != found.digest):
            self._unheld = (self._version, self._digest)

    def _needed(self) -> set[bytes]:
        files = (node for node in tree.nodes(self.top) if isinstance(node, SealedFile))
        return {name for file in files for name in file.every_name()} | {name for _, name in self._pieces}

    def fetch(self, name: bytes, kind: int, inode: int, index: int) -> bytes:
        """The plaintext of an object; `Unauthentic` unless it is exactly the one that was named."""
        raw = self._objects.get(name.hex())
        if raw is None:
            raise Unauthentic(Reason.NODE_MISSING, f"sealed volume: object {name.hex()[:16]}…")
        if name_of(raw) != name:
            raise Unauthentic(Reason.DIGEST_MISMATCH, f"sealed volume: object {name.hex()[:16]}…")
        return self.cipher.open(raw, kind, inode, index)

    def keep(self, plain: bytes, kind: int, inode: int, index: int) -> bytes:
        """Seal and store."""
        raw = self.cipher.seal(plain, kind, inode, index)
        name = name_of(raw)
        self._objects.put(name.hex(), raw)
        return name

    def drop(self, *names: bytes) -> None:
        """Remove these after the next commit."""
        self._garbage.update(name for name in names if name != HOLE)

    def loaded(self) -> None:
        """A chunk more is in memory."""
        self._cached += 1

    def prune(self) -> None:
        """Keep memory bounded, between two operations: what is stored can be fetched again."""
        if self._cached <= MOST_CACHED:
            return
        for node in list(self.nodes.values()):
            if isinstance(node, SealedFile):
                node.flush()
                node.cached.clear()
        self._cached = 0

    def due(self) -> bool:
        """Whether it is time to commit without being asked."""
        return self.changed and time.monotonic() - self._committed > COMMIT_EVERY

    def commit(self) -> None:
        """Make what was written so far outlive the Keep. Raises EnarxError when that is not certain."""
        if self._unheld is not None:
            self._hold(*self._unheld)
        if not self.changed:
            return
        files = [node for node in tree.nodes(self.top) if isinstance(node, SealedFile)]
        for file in files:
            file.flush()
        self._store_tree()
        root = Root(self._version + 1, self._digest, tuple(n for _, n in self._pieces), self._quota.following())
        raw = record.encode(root, self.cipher, self._sealing.root, self._scope)
        self._objects.put(ROOT_NAME, raw)
        self._version, self._digest = root.version, sha256(raw)
        self.changed = False
        self._committed = time.monotonic()
        self._hold(self._version, self._digest)

    def _store_tree(self) -> None:
        whole = tree.encode(self.top)
        before, self._pieces = self._pieces, []
        for index, at in enumerate(range(0, len(whole), PIECE)):
            plain = whole[at : at + PIECE]
            same = index < len(before) and before[index][0] == plain
            self._pieces.append(before[index] if same else (plain, self.keep(plain, TREE, 0, index)))
        self.drop(*({name for _, name in before} - {name for _, name in self._pieces}))

    def _hold(self, version: int, digest: bytes) -> None:
        self._unheld = (version, digest)
        self._sealing.hold(version, digest)
        self._unheld = None
        self._objects.remove([name.hex() for name in self._garbage])
        self._garbage.clear()


class Unheld:
    """A sealing root whose volume's version nobody holds: the mount says `rollback: not detected`."""

    detected = False
    held: Held | None = None

    def __init__(self, root: bytes) -> None:
        self.root = root

    def hold(self, version: int, digest: bytes) -> None:
        """Nobody does."""
