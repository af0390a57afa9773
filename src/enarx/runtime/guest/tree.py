# SPDX-License-Identifier: Apache-2.0
"""The file system that a guest finds at `/`: its package, `/tmp` and `/dev`."""

from __future__ import annotations

import mmap

from enarx.runtime import wire
from enarx.runtime.channel import Channel
from enarx.runtime.guest.attest import attest
from enarx.runtime.guest.keys import Keys
from enarx.runtime.guest.net import net
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.device import NullDevice, RandomDevice
from enarx.runtime.wasi.directory import OpenDirectory
from enarx.runtime.wasi.memfile import PackageFile
from enarx.runtime.wasi.volume import Folder, Quota
from enarx.runtime.wire import LENGTH, WireError

INHERITING = rights.FILE | rights.DIRECTORY


def root(tree: int, storage: int, channel: Channel | None = None) -> OpenDirectory:
    """The preopened `/`.

    `tree` is an anonymous file with the package's files, or -1; a `channel` leads to `/net`
    and `/attest`.
    """
    quota = Quota(storage)
    top = Folder(quota)
    provided: list[tuple[str, memoryview]] = []
    for path, content in _files(tree):
        if path.startswith("/"):
            provided.append((path, content))
            continue
        *folders, name = path.split("/")
        folder = top
        for part in folders:
            below = folder.nodes.get(part)
            if not isinstance(below, Folder):
                below = Folder(quota)
                folder.put(part, below)
            folder = below
        folder.put(name, PackageFile(quota, content))
    _fix(top)
    top.put("tmp", Folder(quota))
    devices = Folder(quota)
    devices.put("null", NullDevice(quota))
    devices.put("urandom", RandomDevice(quota))
    _fix(devices)
    top.put("dev", devices)
    if channel is not None:
        top.put("net", net(quota, channel))
        top.put("key", Keys(quota, channel))
        _provide(top, quota, provided, channel)
    quota.left = storage
    return OpenDirectory(top, rights.DIRECTORY, INHERITING, "/")


def _provide(top: Folder, quota: Quota, provided: list[tuple[str, memoryview]], channel: Channel) -> None:
    """What the agent adds: secrets, the certificate, and evidence where it can be had."""
    places: dict[str, Folder] = {}
    if any(path == "/attest/evidence" for path, _ in provided):
        places["attest"] = attest(quota, channel)
    if any(path == wire.SEALED_MARK for path, _ in provided):
        from enarx.runtime.guest.sealed import Remote, SealedFolder, Unmetered

        top.put("sealed", SealedFolder(Unmetered(), Remote(channel)))
    for path, content in provided:
        _, place, name = path.split("/", 2)
        folder = places.setdefault(place, Folder(quota, fixed=True))
        top.put(place, folder)
        if name not in folder.nodes:
            folder.put(name, PackageFile(quota, content))


def _fix(folder: Folder) -> None:
    """What the package holds, the guest cannot change."""
    folder.fixed = True
    for node in folder.nodes.values():
        if isinstance(node, Folder):
            _fix(node)


def _files(tree: int) -> list[tuple[str, memoryview]]:
    """Paths and contents; the contents stay in the anonymous file."""
    if tree < 0:
        return []
    view = memoryview(mmap.mmap(tree, 0, mmap.MAP_SHARED, mmap.PROT_READ))
    parts: list[memoryview] = []
    at = 0
    while at < len(view):
        (length,) = LENGTH.unpack_from(view, at)
        at += LENGTH.size + length
        if at > len(view):
            raise WireError
        parts.append(view[at - length : at])
    return [(bytes(path).decode(), content) for path, content in zip(parts[::2], parts[1::2], strict=True)]
