# SPDX-License-Identifier: Apache-2.0
"""The tree of a sealed volume: folders, links and files as deterministic CBOR, and back."""
# ruff: noqa: D102 - methods are documented where they are first named, in `wasi.volume`

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from enarx.codec import cbor
from enarx.errors import Malformed, Reason
from enarx.runtime.sealed.file import SealedFile, Vault
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.volume import Folder, Leaf, Node, Quota, Symlink

TOP = 1
WHAT = "sealed volume: tree"


class SealedFolder(Folder):
    """A folder of the volume; `known` is told of every node that gets a name."""

    def __init__(self, quota: Quota, vault: Vault, known: Callable[[Node], None]) -> None:
        super().__init__(quota)
        self._vault = vault
        self._known = known

    def new_file(self) -> Leaf:
        return SealedFile(self.quota, self._vault)

    def new_folder(self) -> Folder:
        return SealedFolder(self.quota, self._vault, self._known)

    def put(self, name: str, node: Node) -> None:
        self._known(node)
        super().put(name, node)


def encode(top: Folder) -> bytes:
    """Every node below and with `top`, each once."""
    return cbor.encode([_described(node) for node in nodes(top)])


def nodes(top: Folder) -> Iterator[Node]:
    """Every node with a name, each once, and `top`."""
    seen: set[int] = set()
    waiting: list[Node] = [top]
    while waiting:
        node = waiting.pop()
        if node.inode in seen:
            continue
        seen.add(node.inode)
        yield node
        if isinstance(node, Folder):
            waiting.extend(node.nodes.values())


def _described(node: Node) -> list[Any]:
    common = [node.inode, node.filetype, node.accessed, node.modified, node.changed]
    match node:
        case Folder():
            return [*common, {name: below.inode for name, below in node.nodes.items()}]
        case Symlink():
            return [*common, node.target]
        case SealedFile():
            inline, names = node.recorded()
            return [*common, node.length, inline, names]
        case _:
            raise TypeError(node)


def restore(raw: bytes, top: SealedFolder, vault: Vault) -> None:
    """Fill `top` with what `encode` was given; `Malformed` for what it cannot have made."""
    listed = cbor.decode_canonical(raw, WHAT)
    try:
        made = {row[0]: _made(row, top, vault) for row in listed}
        for row in listed:
            if row[1] == rights.IS_DIRECTORY:
                _fill(made[row[0]], {name: made[inode] for name, inode in row[5].items()})
        for row in listed:
            node = made[row[0]]
            node.accessed, node.modified, node.changed = row[2:5]
    except (TypeError, ValueError, LookupError, AttributeError):
        raise Malformed(Reason.SYNTAX, WHAT) from None


def _made(row: list[Any], top: SealedFolder, vault: Vault) -> Node:
    node: Node
    match row:
        case [1, rights.IS_DIRECTORY, _, _, _, _]:
            node = top
        case [_, rights.IS_DIRECTORY, _, _, _, dict()]:
            node = top.new_folder()
        case [_, rights.SYMBOLIC_LINK, _, _, _, str(target)]:
            node = Symlink(top.quota, target)
        case [_, rights.REGULAR_FILE, _, _, _, int(length), bool(inline), list(names)]:
            node = file = SealedFile(top.quota, vault)
            file.restore(length, names, inline=inline)
            top.quota.take(length)
        case _:
            raise ValueError(row)
    node.inode = row[0]
    node.links = 1 if isinstance(node, Folder) else 0
    return node


def _fill(folder: Node, entries: dict[str, Node]) -> None:
    if not isinstance(folder, Folder):
        raise TypeError(folder)
    for name, node in entries.items():
        folder.put(name, node)
        if not isinstance(node, Folder):
            node.links += 1
