# SPDX-License-Identifier: Apache-2.0
"""The system that a guest sees: its descriptors, and the functions that its imports name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from enarx.runtime.channel import Channel
from enarx.runtime.engine.host import Bridge, HostFunction
from enarx.runtime.engine.machine import Machine
from enarx.runtime.guest.start import OpenFile, Start
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Table
from enarx.runtime.wasi.fd import Descriptors, Sockets
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.poll import Poll
from enarx.runtime.wasi.process import Process
from enarx.runtime.wasi.signature import MODULE, PARAMETERS
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


class System:
    """WASI preview 1 for one guest."""

    def __init__(self, machine: Machine, start: Start, channel: Channel | None = None) -> None:
        self.memory = GuestMemory()
        self.bridge = Bridge(machine.library, self.memory, self._attach)
        self._machine = machine
        self._channel = channel
        self._start = start
        self._table = Table(start.most_files)
        meter = Meter(start.output_rate)
        for file in start.files:
            self._table.add(opened(file, meter))
        if any(name.startswith(("path_", "fd_prestat_")) for name in start.imports):
            self._mount()
        self._parts: dict[str, object] = {}

    def _mount(self) -> None:
        """Open the folders that the guest starts with, after its files and from 3 on."""
        from enarx.runtime.guest.tree import INHERITING, root
        from enarx.runtime.wasi.directory import OpenDirectory
        from enarx.runtime.wasi.hostdir import HostFolder

        first = max(3, len(self._start.files))
        opened = [
            OpenDirectory(HostFolder(folder.host), rights.DIRECTORY, INHERITING, folder.guest)
            for folder in self._start.folders
        ]
        if all(folder.guest != "/" for folder in self._start.folders):
            opened.append(root(self._start.tree, self._start.storage, self._channel))
        for number, folder in enumerate(opened, start=first):
            self._table.put(number, folder)

    def _attach(self, caller: int) -> None:
        self._machine.attach(self.memory, caller)

    def define(self, imports: Sequence[str]) -> None:
        """Provide the named functions."""
        for name in imports:
            shape = PARAMETERS[name]
            function = self._function(name)
            if name in ("fd_read", "fd_write"):
                callback = self.bridge.one_buffer(self._table, function, reading=name == "fd_read")
            elif "I" in shape:
                callback = self.bridge.wide(function, shape)
            else:
                callback = self.bridge.narrow(function, len(shape))
            self._machine.define(MODULE, name, shape, callback, answers=name != "proc_exit")

    def _function(self, name: str) -> HostFunction:
        group = name.partition("_")[0]
        if group not in self._parts:
            self._parts[group] = self._group(group)()
        function: HostFunction = getattr(self._parts[group], name)
        return function

    def _group(self, group: str) -> Callable[[], object]:
        match group:
            case "fd":
                return lambda: Descriptors(self.memory, self._table)
            case "sock":
                return lambda: Sockets(self.memory, self._table, self._start.connections)
            case "poll":
                return lambda: Poll(self.memory, self._table)
            case "path":
                from enarx.runtime.wasi.path import Paths

                return lambda: Paths(self.memory, self._table)
            case _:
                return lambda: Process(self.memory, self._start.args, self._start.env)
