# SPDX-License-Identifier: Apache-2.0
"""The initramfs archive, "newc" (Linux: Documentation/driver-api/early-userspace/buffer-format.rst).

The bytes depend on paths and contents alone: entries sorted, no times, no owners, inode numbers
counted, device nodes without `mknod`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import msgspec

_DIRECTORY = 0o040755
_FILE = 0o100000
_LINK = 0o120777
_CHARACTER_DEVICE = 0o020600
_END = "TRAILER!!!"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A file (`body`), a symbolic link (`link`) or a character device (`device`: major, minor)."""

    body: bytes = b""
    executable: bool = False
    link: str = ""
    device: tuple[int, int] | None = None
    directory: bool = False


def archive(entries: Mapping[str, Entry]) -> bytes:
    """The archive of these absolute paths; folders above them are added."""
    tree = dict(entries)
    for path in entries:
        while (path := posixpath.dirname(path)) != "/":
            tree.setdefault(path, Entry(directory=True))
    out = bytearray()
    for number, path in enumerate(sorted(tree), start=1):
        _write(out, number, path.lstrip("/"), tree[path])
    _write(out, 0, _END, Entry())
    out += bytes(-len(out) % 512)
    return bytes(out)


def _write(out: bytearray, inode: int, name: str, entry: Entry) -> None:
    body = entry.link.encode() or entry.body
    major, minor = entry.device or (0, 0)
    mode = 0 if name == _END else _mode(entry)
    links = 2 if entry.directory else 1
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    fields = (inode, mode, 0, 0, links, 0, len(body), 0, 0, major, minor, len(name.encode()) + 1, 0)
    out += b"070701" + "".join(f"{field:08X}" for field in fields).encode()
    out += name.encode() + b"\0"
    out += bytes(-len(out) % 4)
    out += body
    out += bytes(-len(out) % 4)


def _mode(entry: Entry) -> int:
    if entry.directory:
        return _DIRECTORY
    if entry.link:
        return _LINK
    if entry.device:
        return _CHARACTER_DEVICE
    return _FILE | (0o755 if entry.executable else 0o644)
