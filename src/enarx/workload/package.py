# SPDX-License-Identifier: Apache-2.0
"""A package: a module, its Enarx.toml and its files as one tree with one digest.

The digest is the SHA-256 of the root directory's bytes as received. Nothing below is used before
its length and all its digests hold against the directory that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from enarx.codec.digest import same, sha256
from enarx.errors import Malformed, Misused, Reason, Unauthentic
from enarx.workload.tree import (
    DIRECTORY,
    MAX_DIRECTORY,
    TOML,
    WASM,
    Entry,
    content_type,
    encode_directory,
    parse_directory,
    size_limit,
    valid_name,
    weigh,
)

MODULE = "main.wasm"
MANIFEST = "Enarx.toml"

DEFAULT_MANIFEST = b"""\
[[files]]
kind = "stdin"

[[files]]
kind = "stdout"

[[files]]
kind = "stderr"
"""
"""What a module without an Enarx.toml gets. Part of the digest of a bare module: never changes."""

MAX_DEPTH = 16
MAX_NODES = 4096
MAX_BYTES = 256_000_000

Fetch = Callable[[str, int], bytes]
"""(path, limit) -> the bytes of that node, "" being the root; it may stop after `limit` + 1 bytes.

For a node that it has not got, it raises `Unauthentic` with NODE_MISSING."""


class Package(msgspec.Struct, frozen=True):
    """A whole package whose every digest holds.

    root   bytes of the root directory
    nodes  path -> bytes of each node below, directories included; paths joined with "/"
    """

    root: bytes
    nodes: dict[str, bytes]

    @property
    def digest(self) -> bytes:
        """The name of the package: SHA-256 of the root directory's bytes (32 bytes)."""
        return sha256(self.root)

    @property
    def module(self) -> bytes:
        """The bytes of main.wasm."""
        return self.nodes[MODULE]

    @property
    def manifest(self) -> bytes:
        """The bytes of Enarx.toml, or of the default one."""
        return self.nodes.get(MANIFEST, DEFAULT_MANIFEST)

    @property
    def entry(self) -> Entry:
        """What a tag says of the package."""
        return weigh(self.root, DIRECTORY)

    def entries(self) -> dict[str, Entry]:
        """The entries of every node below the root, by path, directories before what they hold."""
        found: dict[str, Entry] = {}
        pending = [("", self.root)]
        for prefix, raw in pending:
            for name, entry in parse_directory(raw).items():
                found[prefix + name] = entry
                if entry.type == DIRECTORY:
                    pending.append((f"{prefix}{name}/", self.nodes[prefix + name]))
        return found

    def files(self) -> dict[str, bytes]:
        """The bytes of each file by path, directories left out."""
        return {path: self.nodes[path] for path, entry in self.entries().items() if entry.type != DIRECTORY}


def build(files: Mapping[str, bytes]) -> Package:
    """The package of these files (path -> bytes; a path that ends in "/" is an empty directory).

    There must be a main.wasm; without an Enarx.toml the default one is added. `Misused` for names
    that no directory may hold.
    """
    if MODULE not in files:
        raise Misused(Reason.MISSING, f"package without {MODULE}")
    folders: dict[str, dict[str, Entry]] = {"": {}}
    nodes: dict[str, bytes] = {}
    for path, raw in {MANIFEST: DEFAULT_MANIFEST, **files}.items():
        folder, name = _folder(path.removesuffix("/"), folders)
        if path.endswith("/"):
            folders.setdefault(path[:-1], {})
        else:
            folders[folder][name] = weigh(raw, content_type(name))
            nodes[path] = raw
    root = _fold(folders, nodes)
    package = Package(root, nodes)
    total = len(root)
    for count, (path, entry) in enumerate(package.entries().items()):
        total += entry.length
        _require_limits(path, entry, total, count)
    return package


def _fold(folders: dict[str, dict[str, Entry]], nodes: dict[str, bytes]) -> bytes:
    """Write each directory into the one above, deepest first; returns the root's bytes."""
    for path in sorted(folders, key=lambda one: one.count("/"), reverse=True):
        if not path:
            continue
        folder, _, name = path.rpartition("/")
        if name in folders[folder]:
            raise Misused(Reason.INCONSISTENT, f"{path}: both a file and a directory")
        nodes[path] = encode_directory(folders[path])
        folders[folder][name] = weigh(nodes[path], DIRECTORY)
    return encode_directory(folders[""])


def _folder(path: str, folders: dict[str, dict[str, Entry]]) -> tuple[str, str]:
    *parents, name = path.split("/")
    for part in (*parents, name):
        if not valid_name(part):
            raise Misused(
                Reason.SYNTAX, f"invalid file name: {path!r}", hint="names hold letters, digits, '-', '_', '.' and ':'"
            )
    if len(parents) >= MAX_DEPTH:
        raise Misused(Reason.TOO_DEEP, path)
    for depth in range(len(parents)):
        folders.setdefault("/".join(parents[: depth + 1]), {})
    return "/".join(parents), name


def bare(module: bytes) -> Package:
    """The package that a module alone stands for."""
    return build({MODULE: module})


def bare_root(module: Entry) -> bytes:
    """The root directory of the package that a module alone stands for, from the module's entry."""
    entry = Entry(module.digest, module.length, WASM)
    return encode_directory({MODULE: entry, MANIFEST: weigh(DEFAULT_MANIFEST, TOML)})


def from_nodes(nodes: Mapping[str, bytes], root: bytes, digest: bytes) -> Package:
    """The package of nodes that are all at hand: none missing, none more, every digest checked."""

    def fetch(path: str, limit: int) -> bytes:  # noqa: ARG001
        if path and path not in nodes:
            raise Unauthentic(Reason.NODE_MISSING, f"node {path}")
        return nodes[path] if path else root

    package = receive(fetch, digest)
    if extra := nodes.keys() - package.nodes.keys():
        raise Unauthentic(Reason.NODE_EXTRA, f"node {min(extra)}: no directory names it")
    return package


def receive(fetch: Fetch, digest: bytes) -> Package:
    """Walk the tree from its root digest; each node is checked before anything in it is used.

    `Unauthentic` for bytes that a digest does not name, `Malformed` for a directory that is none
    or a package beyond the limits.
    """
    root = fetch("", MAX_DIRECTORY)
    if len(root) > MAX_DIRECTORY:
        raise Malformed(Reason.TOO_LARGE, f"root directory: over {MAX_DIRECTORY} bytes")
    if not same(sha256(root), digest):
        raise Unauthentic(Reason.DIGEST_MISMATCH, f"root directory: not the package {digest.hex()}")
    entries = parse_directory(root, "root directory")
    _require_shape(entries)
    nodes: dict[str, bytes] = {}
    total = len(root)
    for path, entry in _walk(entries, nodes):
        total += entry.length
        _require_limits(path, entry, total, len(nodes))
        raw = fetch(path, entry.length)
        entry.require(raw, f"node {path}")
        nodes[path] = raw
    return Package(root, nodes)


def _walk(entries: dict[str, Entry], nodes: dict[str, bytes]) -> Iterator[tuple[str, Entry]]:
    """Every node's path and entry; a directory is read after the caller has put it into `nodes`."""
    pending = [("", entries)]
    while pending:
        prefix, table = pending.pop()
        for name, entry in table.items():
            path = prefix + name
            yield path, entry
            if entry.type == DIRECTORY:
                if path.count("/") + 1 >= MAX_DEPTH:
                    raise Malformed(Reason.TOO_DEEP, f"directory {path}")
                pending.append((f"{path}/", parse_directory(nodes[path], f"directory {path}")))


def _require_shape(entries: Mapping[str, Entry]) -> None:
    if MODULE not in entries:
        raise Malformed(Reason.NODE_MISSING, f"root directory: no {MODULE}")
    for name, expected in ((MODULE, WASM), (MANIFEST, TOML)):
        if name in entries and entries[name].type != expected:
            raise Malformed(Reason.MEDIA_TYPE, f"{name}: type {entries[name].type}, expected {expected}")


def _require_limits(path: str, entry: Entry, total: int, count: int) -> None:
    if entry.length > size_limit(entry.type):
        raise Malformed(Reason.TOO_LARGE, f"node {path}: {entry.length} bytes, at most {size_limit(entry.type)}")
    if total > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"package: over {MAX_BYTES} bytes")
    if count >= MAX_NODES:
        raise Malformed(Reason.TOO_LARGE, f"package: over {MAX_NODES} nodes")
