# SPDX-License-Identifier: Apache-2.0
"""The descriptors that a guest starts with: the manifest's files, then its folders."""

from __future__ import annotations

from enarx.runtime.channel import Channel
from enarx.runtime.guest.start import OpenFile, Start
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Table
from enarx.runtime.wasi.stream import Meter, Null, Script, Stream


def opened(file: OpenFile, meter: Meter) -> Descriptor:
    """The descriptor that plays one file of the manifest."""
    match file.kind:
        case "null":
            return Null()
        case "script":
            return Script(file.content)
        case "stdin":
            return Stream(file.host, rights.FD_READ, meter)
        case "stdout" | "stderr":
            return Stream(file.host, rights.FD_WRITE, meter)
        case _:
            return _socket(file)


def _socket(file: OpenFile) -> Descriptor:
    from enarx.runtime.wasi.socket import Connection, Handover, Listener

    match file.kind:
        case "listener":
            return Listener(file.host)
        case "handover":
            return Handover(file.host)
        case _:
            return Connection(file.host)


def fill(table: Table, start: Start) -> None:
    """Open the manifest's files, numbered in its order."""
    table.most = start.most_files
    meter = Meter(start.output_rate)
    for file in start.files:
        table.add(opened(file, meter))


def mount(table: Table, start: Start, channel: Channel | None) -> None:
    """Open the folders that the guest starts with, after its files and from 3 on."""
    from enarx.runtime.guest.tree import INHERITING, root
    from enarx.runtime.wasi.directory import OpenDirectory
    from enarx.runtime.wasi.hostdir import HostFolder

    first = max(3, len(start.files))
    folders = [
        OpenDirectory(HostFolder(folder.host), rights.DIRECTORY, INHERITING, folder.guest) for folder in start.folders
    ]
    if all(folder.guest != "/" for folder in start.folders):
        folders.append(root(start.tree, start.storage, channel))
    for number, folder in enumerate(folders, start=first):
        table.put(number, folder)
