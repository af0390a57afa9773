# SPDX-License-Identifier: Apache-2.0
"""A module of WASI preview 1: its descriptors, the functions that its imports name, and its run.

A `System` can be made and its functions defined before anybody knows for which guest; `begin` tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from enarx.runtime.channel import Channel
from enarx.runtime.engine.host import Bridge, HostFunction
from enarx.runtime.engine.machine import Machine
from enarx.runtime.guest.files import fill, mount
from enarx.runtime.guest.start import Start
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.fd import Descriptors, Sockets
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.poll import Poll
from enarx.runtime.wasi.process import Process
from enarx.runtime.wasi.signature import MODULE, PARAMETERS


class Program(Protocol):
    """A guest on its way from bytes to its end."""

    def load(self, path: str) -> None:
        """Take compiled code; EngineError when this engine did not make it."""

    def compile(self, raw: bytes) -> Callable[[], bytes]:
        """Compile; what serializes the code. EngineError when it does not validate."""

    def settle(self, confine: Callable[[], list[str]]) -> list[str]:
        """Start the threads and processes that it needs; then `confine` each, and say what the kernel lacks for it."""

    def run(self) -> int:
        """Run to the end; the exit code, or raises what ended it."""


class System:
    """WASI preview 1 for one guest."""

    def __init__(self, machine: Machine) -> None:
        self.memory = GuestMemory()
        self.bridge = Bridge(machine.library, self.memory, self._attach)
        self._machine = machine
        self._table = Table(0)
        self._process = Process(self.memory)
        self._sockets = Sockets(self.memory, self._table, 0)
        self._parts: dict[str, object] = {"sock": self._sockets}
        self._defined: set[str] = set()

    def begin(self, start: Start, channel: Channel | None = None) -> None:
        """Be the system of this guest: its descriptors, its limits, and every function that it imports."""
        fill(self._table, start)
        if any(name.startswith(("path_", "fd_prestat_")) for name in start.imports):
            mount(self._table, start, channel)
        self._sockets.most = start.connections
        self._process.know(start.args, start.env)
        self.define(start.imports)

    def _attach(self, caller: int) -> None:
        self._machine.attach(self.memory, caller)

    def define(self, imports: Sequence[str]) -> None:
        """Provide the named functions; those that are provided already stay."""
        for name in imports:
            if name in self._defined:
                continue
            self._defined.add(name)
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
            case "poll":
                return lambda: Poll(self.memory, self._table)
            case "path":
                from enarx.runtime.wasi.path import Paths

                return lambda: Paths(self.memory, self._table)
            case _:
                return lambda: self._process


class ModuleProgram:
    """A module with its system."""

    def __init__(self, machine: Machine, system: System, start: Start, channel: Channel) -> None:
        self._machine = machine
        self._start = start
        self._system = system
        system.begin(start, channel)
        self._module = 0

    def load(self, path: str) -> None:
        """Take compiled code."""
        self._module = self._machine.load(path)

    def compile(self, raw: bytes) -> Callable[[], bytes]:
        """Compile; what serializes the code."""
        self._module = self._machine.compile(raw)
        return lambda: self._machine.serialize(self._module)

    def settle(self, confine: Callable[[], list[str]]) -> list[str]:
        """It needs no more than this thread."""
        return confine()

    def run(self) -> int:
        """Instantiate, and call what is to be called."""
        machine, system = self._machine, self._system
        machine.limit(self._start.limits)
        instance = machine.instantiate(self._module, system.memory, system.bridge)
        for name in self._start.calls:
            machine.call(instance, name, system.bridge)
        return 0
