# SPDX-License-Identifier: Apache-2.0
"""A file system in memory, with a quota: what the guest writes never reaches the host."""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

import time

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Directory, Opened
from enarx.runtime.wasi.errno import (
    EXIST,
    INVAL,
    ISDIR,
    NAMETOOLONG,
    NOENT,
    NOSPC,
    NOTDIR,
    NOTEMPTY,
    PERM,
    ROFS,
    XDEV,
    WasiError,
)

NODE_COST = 512
"""What an empty file counts for, so that a million of them meet the quota too."""
MAX_NAME = 255


class Quota:
    """Bytes that all files of one guest may take together."""

    def __init__(self, most: int) -> None:
        self.left = most
        self._last_inode = 0

    def take(self, count: int) -> None:
        """Reserve bytes; errno NOSPC when they are not left. A negative count gives back."""
        if count > self.left:
            raise WasiError(NOSPC)
        self.left -= count

    def inode(self) -> int:
        """A number that no other node has."""
        self._last_inode += 1
        return self._last_inode


class Node:
    """What every thing in the volume has."""

    filetype = rights.UNKNOWN

    def __init__(self, quota: Quota) -> None:
        quota.take(NODE_COST)
        self.quota = quota
        self.inode = quota.inode()
        self.links = 1
        self.accessed = self.modified = self.changed = time.time_ns()

    def size(self) -> int:
        """In bytes, as `filestat` says it."""
        return 0

    def stat(self) -> Stat:
        """All of `filestat`."""
        return Stat(1, self.inode, self.filetype, self.links, self.size(), self.accessed, self.modified, self.changed)

    def touch(self) -> None:
        """The content has changed."""
        self.modified = self.changed = time.time_ns()

    def stamp(self, accessed: int | None, modified: int | None) -> None:
        """Set times; None leaves one alone."""
        self.accessed = self.accessed if accessed is None else accessed
        self.modified = self.modified if modified is None else modified
        self.changed = time.time_ns()

    def released(self) -> None:
        """A name or a descriptor of it is gone; give the space back after the last one."""
        if self.links == 0:
            self.quota.take(-NODE_COST)


class Symlink(Node):
    """A symbolic link."""

    filetype = rights.SYMBOLIC_LINK

    def __init__(self, quota: Quota, target: str) -> None:
        super().__init__(quota)
        self.target = target

    def size(self) -> int:
        return len(self.target.encode())


class Leaf(Node):
    """Something that is opened for its content: a file, or a device."""

    def open(self, how: Opened) -> Descriptor:
        """A descriptor of it."""
        raise NotImplementedError


class Folder(Node, Directory):
    """A folder whose entries are nodes."""

    filetype = rights.IS_DIRECTORY

    def __init__(self, quota: Quota, *, fixed: bool = False) -> None:
        Node.__init__(self, quota)
        self.nodes: dict[str, Node] = {}
        self.fixed = fixed

    def stat(self) -> Stat:
        return Node.stat(self)

    def _node(self, name: str) -> Node:
        node = self.nodes.get(name)
        if node is None:
            raise WasiError(NOENT if len(name.encode()) <= MAX_NAME else NAMETOOLONG)
        return node

    def changing(self) -> None:
        """Errno ROFS unless entries may change."""
        if self.fixed:
            raise WasiError(ROFS)

    def free(self, name: str) -> None:
        """The name can be given to something new."""
        if name in self.nodes:
            raise WasiError(EXIST)
        self.changing()
        if len(name.encode()) > MAX_NAME:
            raise WasiError(NAMETOOLONG)

    def put(self, name: str, node: Node) -> None:
        """Add an entry."""
        self.nodes[name] = node
        self.touch()

    def find(self, name: str) -> Stat:
        return self._node(name).stat()

    def enter(self, name: str) -> Directory:
        node = self._node(name)
        if not isinstance(node, Folder):
            raise WasiError(NOTDIR)
        return node

    def link_target(self, name: str) -> str:
        node = self._node(name)
        if not isinstance(node, Symlink):
            raise WasiError(INVAL)
        return node.target

    def open(self, name: str, how: Opened) -> Descriptor:
        node = self.nodes.get(name)
        if node is None and how.create:
            self.free(name)
            self.put(name, self.new_file())
        node = self._node(name)
        if not isinstance(node, Leaf):
            raise WasiError(ISDIR)
        return node.open(how)

    def new_file(self) -> Leaf:
        """An empty file of the kind that this volume has."""
        from enarx.runtime.wasi.memfile import MemoryFile

        return MemoryFile(self.quota)

    def new_folder(self) -> Folder:
        """An empty folder, likewise."""
        return Folder(self.quota)

    def make_folder(self, name: str) -> None:
        self.free(name)
        self.put(name, self.new_folder())

    def symlink(self, name: str, target: str) -> None:
        self.free(name)
        self.put(name, Symlink(self.quota, target))

    def remove_folder(self, name: str) -> None:
        node = self._node(name)
        if not isinstance(node, Folder):
            raise WasiError(NOTDIR)
        self.changing()
        if node.nodes or node.fixed:
            raise WasiError(NOTEMPTY)
        self.remove(name)

    def unlink(self, name: str) -> None:
        if isinstance(self._node(name), Folder):
            raise WasiError(ISDIR)
        self.changing()
        self.remove(name)

    def remove(self, name: str) -> None:
        """Take an entry out."""
        node = self.nodes.pop(name)
        node.links -= 1
        node.changed = time.time_ns()
        node.released()
        self.touch()

    def link(self, name: str, into: Directory, new: str) -> None:
        if not isinstance(into, Folder) or into.quota is not self.quota:
            raise WasiError(XDEV)
        node = self._node(name)
        if isinstance(node, Folder):
            raise WasiError(PERM)
        into.free(new)
        self.changing()
        node.links += 1
        into.put(new, node)

    def rename(self, name: str, into: Directory, new: str) -> None:
        if not isinstance(into, Folder) or into.quota is not self.quota:
            raise WasiError(XDEV)
        node = self._node(name)
        self.changing()
        into.changing()
        replaced = into.nodes.get(new)
        if replaced is node:
            return
        if isinstance(node, Folder) and node.holds(into):
            raise WasiError(INVAL)
        if replaced is None:
            into.free(new)
        else:
            _replaceable(node, replaced)
            into.remove(new)
        del self.nodes[name]
        into.put(new, node)
        self.touch()

    def holds(self, other: Folder) -> bool:
        """Whether another folder is this one or somewhere below it."""
        return other is self or any(isinstance(n, Folder) and n.holds(other) for n in self.nodes.values())

    def set_times(self, name: str, accessed: int | None, modified: int | None) -> None:
        self.changing()
        node: Node = self if name == "." else self._node(name)
        node.stamp(accessed, modified)

    def entries(self) -> list[tuple[str, int, int]]:
        return [(name, node.inode, node.filetype) for name, node in self.nodes.items()]


def _replaceable(node: Node, replaced: Node) -> None:
    """POSIX rename: a folder replaces an empty folder only, a file never a folder."""
    if isinstance(node, Folder):
        if not isinstance(replaced, Folder):
            raise WasiError(NOTDIR)
        if replaced.nodes or replaced.fixed:
            raise WasiError(NOTEMPTY)
    elif isinstance(replaced, Folder):
        raise WasiError(ISDIR)
