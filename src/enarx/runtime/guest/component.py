# SPDX-License-Identifier: Apache-2.0
"""A component of WASI 0.2: its interfaces on the same descriptors as preview 1, and its run."""

from __future__ import annotations

from collections.abc import Callable

from enarx.runtime.channel import Channel
from enarx.runtime.component.grants import Grants
from enarx.runtime.component.launch import Launch
from enarx.runtime.component.machine import ComponentMachine
from enarx.runtime.component.types import Err, Result
from enarx.runtime.component.world import interfaces
from enarx.runtime.engine.machine import Machine
from enarx.runtime.guest.files import fill, mount
from enarx.runtime.guest.start import Start
from enarx.runtime.wasi.descriptor import Table


def launched(start: Start, channel: Channel | None) -> Launch:
    """What the interfaces stand on."""
    table = Table(start.most_files)
    fill(table, start)
    if any(name.startswith("wasi:filesystem/") for name in start.imports):
        mount(table, start, channel)
    pairs = [pair.decode().partition("=") for pair in start.env]
    args = [arg.decode() for arg in start.args]
    return Launch(args, [(name, value) for name, _, value in pairs], table, granted(start), channel)


def granted(start: Start) -> Grants:
    """What the manifest says of sockets."""
    listeners, connections = {}, {}
    for number, file in enumerate(start.files):
        if file.kind in ("listener", "handover"):
            listeners[number] = int(file.content)
        elif file.kind == "connection":
            connections[number] = file.content.decode()
    return Grants(listeners, connections, frozenset(start.outgoing), start.connections)


class ComponentProgram:
    """A command: a component that exports `wasi:cli/run`."""

    def __init__(self, machine: Machine, start: Start, channel: Channel) -> None:
        self._machine = ComponentMachine(machine.library, machine.engine)
        self._start = start
        self._interfaces = interfaces(start.imports, launched(start, channel))
        self._component = 0

    def load(self, path: str) -> None:
        """Take compiled code, and link it."""
        self._component = self._machine.load(path)
        self._machine.link(self._component, self._interfaces)

    def compile(self, raw: bytes) -> Callable[[], bytes]:
        """Compile and link; what serializes the code."""
        self._component = self._machine.compile(raw)
        # Before the process can make no memory executable any more: callbacks are such memory.
        self._machine.link(self._component, self._interfaces)
        return lambda: self._machine.serialize(self._component)

    def settle(self, confine: Callable[[], list[str]]) -> list[str]:
        """It needs no more than this thread."""
        return confine()

    def run(self) -> int:
        """Instantiate, and call `run`; 1 where that says it failed."""
        running = self._machine.instance(self._component, self._start.limits)
        outcome = running.call(self._start.calls[0], "run", (), Result())
        running.close()
        return int(isinstance(outcome, Err))
