# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of RFC 6962 section 2: append-only growth, roots, and proofs.

`Peaks` is all that appending needs: the roots of the perfect subtrees, largest first. Proofs
are made of subtree hashes that a `Subtree` function supplies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from enarx.errors import Misused, Reason

SIZE = 32
EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

Subtree = Callable[[int, int], bytes]
"""(height, position) -> root of the perfect subtree of 2**height leaves at that position"""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Peaks:
    """A growing tree, known by the roots of its perfect subtrees."""

    __slots__ = ("_hashes", "full", "size")

    def __init__(self, size: int = 0, raw: bytes = b"") -> None:
        """`raw`: as `encoded` gave it."""
        if len(raw) != SIZE * size.bit_count():
            raise Misused(Reason.INCONSISTENT, f"tree of {size} leaves with {len(raw)} bytes of peaks")
        self.size = size
        self._hashes = [raw[at : at + SIZE] for at in range(0, len(raw), SIZE)]
        self.full: list[tuple[int, int, bytes]] = []
        """Subtrees of 256**n leaves that were completed: (n, position, hash)."""

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        position, height, found = self.size, 0, leaf
        while position & 1:
            found = node_hash(self._hashes.pop(), found)
            position >>= 1
            height += 1
            if height % TILE_HEIGHT == 0:
                self.full.append((height // TILE_HEIGHT, position, found))
        self._hashes.append(found)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root."""
        if not self._hashes:
            return EMPTY
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root

    def encoded(self) -> bytes:
        """The peaks, largest first."""
        return b"".join(self._hashes)


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def range_root(subtree: Subtree, start: int, stop: int) -> bytes:
    """The root over the leaves from `start` to `stop`, where `start` is where such a subtree begins."""
    size = stop - start
    if size == 0:
        return EMPTY
    if size & (size - 1) == 0:
        height = size.bit_length() - 1
        return subtree(height, start >> height)
    middle = start + _split(size)
    return node_hash(range_root(subtree, start, middle), range_root(subtree, middle, stop))


def inclusion(subtree: Subtree, position: int, size: int) -> tuple[bytes, ...]:
    """The audit path of the leaf at `position` in the tree of `size` leaves (RFC 6962 section 2.1.1)."""
    if not 0 <= position < size:
        raise Misused(Reason.NOT_FOUND, f"leaf {position} in a tree of {size}")
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if position < middle:
            path.append(range_root(subtree, middle, stop))
            stop = middle
        else:
            path.append(range_root(subtree, start, middle))
            start = middle
    return tuple(reversed(path))


def consistency(subtree: Subtree, old: int, new: int) -> tuple[bytes, ...]:
    """That the tree of `old` leaves is the beginning of that of `new` (RFC 6962 section 2.1.2)."""
    if not 0 < old <= new:
        raise Misused(Reason.INCONSISTENT, f"consistency from {old} to {new} leaves")
    path: list[bytes] = []
    start, stop, whole = 0, new, True
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(range_root(subtree, middle, stop))
            stop = middle
        else:
            path.append(range_root(subtree, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(range_root(subtree, start, stop))
    return tuple(reversed(path))


def root_by_inclusion(leaf: bytes, position: int, size: int, path: tuple[bytes, ...]) -> bytes | None:
    """The root that an audit path leads to (RFC 9162 section 2.1.3.2), or None: it fits no such tree."""
    if not 0 <= position < size:
        return None
    node, last, root = position, size - 1, leaf
    for one in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(one, root)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            root = node_hash(root, one)
        node >>= 1
        last >>= 1
    return root if last == 0 else None


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: tuple[bytes, ...]) -> bool:
    """Whether `path` proves that one tree is the beginning of the other (RFC 9162 section 2.1.4.2)."""
    if old == new:
        return not path and old_root == new_root
    if not 0 < old < new or not path:
        return old == 0 and not path
    hashes = list(path)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    before = after = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = node_hash(one, before), node_hash(one, after)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            after = node_hash(after, one)
        node >>= 1
        last >>= 1
    return last == 0 and before == old_root and after == new_root
