# SPDX-License-Identifier: Apache-2.0
"""A server as a component: it exports `wasi:http/incoming-handler`, and the manifest says what it listens on.

Requests are answered in several processes, which are made before any of them looks at the guest's
first instruction: afterwards nothing here can make a process, or a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress

from enarx.runtime.channel import Channel
from enarx.runtime.component.http.handling import Handling, InterruptibleMachine, Watch
from enarx.runtime.component.http.server import Door, Server
from enarx.runtime.component.world import interfaces
from enarx.runtime.engine.machine import Machine, configured
from enarx.runtime.guest.component import launched
from enarx.runtime.guest.sandbox import bound
from enarx.runtime.guest.start import Start
from enarx.runtime.wasi.stream import Exhausted

MOST_SAID = 4096
SIGKILL, SIGXCPU, SIGPROF = 9, 24, 27


class Died(Exception):
    """A process that answered requests has ended."""


class SharedChannel(Channel):
    """The one way to the agent for several processes: a question and its answer belong together."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel.end)
        self._token, self._give = os.pipe()
        os.write(self._give, b"\0")

    def send(self, kind: int, *fields: bytes, descriptors: Sequence[int] = ()) -> None:
        """Ask, once nobody else is waiting for an answer."""
        os.read(self._token, 1)
        super().send(kind, *fields, descriptors=descriptors)

    def receive(self) -> tuple[int, list[bytes], list[int]] | None:
        """The answer."""
        try:
            return super().receive()
        finally:
            os.write(self._give, b"\0")


class HttpProgram:
    """Answers requests in several processes, each of which runs one instance at a time.

    attach  ties a process to the one that made it
    """

    def __init__(self, machine: Machine, start: Start, channel: Channel, attach: Callable[[int], None]) -> None:
        self._machine = InterruptibleMachine(machine.library, configured(machine.library))
        self._start = start
        self._attach = attach
        launch = launched(start, SharedChannel(channel))
        self._interfaces = interfaces(start.imports, launch)
        self._table = launch.table
        self._component = 0
        self._said, self._saying = os.pipe()
        self._gate, self._opening = os.pipe()

    def load(self, path: str) -> None:
        """Take compiled code, and link it."""
        self._component = self._machine.load(path)
        self._machine.link(self._component, self._interfaces)

    def compile(self, raw: bytes) -> Callable[[], bytes]:
        """Compile and link; what serializes the code."""
        self._component = self._machine.compile(raw)
        self._machine.link(self._component, self._interfaces)
        return lambda: self._machine.serialize(self._component)

    def settle(self, confine: Callable[[], list[str]]) -> list[str]:
        """Make the processes that answer; this one only waits for them."""
        parent = os.getpid()
        for _ in range(self._start.serving.workers):
            if os.fork() == 0:
                self._live(parent, confine)
        return confine()

    def _live(self, parent: int, confine: Callable[[], list[str]]) -> None:
        """The whole life of one of them."""
        try:
            self._attach(parent)
            # Timers are not inherited: each process may use what the manifest allows.
            bound(self._start.most_files, self._start.cpu_milliseconds)
            watch = Watch(self._machine, self._start.serving.seconds, confine)
            watch.start()
            confine()
            # Not before the agent knows that the guest runs.
            os.read(self._gate, 1)
            self._server(watch).serve()
        except BaseException as error:  # noqa: BLE001 - the last door of this process
            os.write(self._saying, f"{type(error).__name__}: {error}"[:MOST_SAID].encode("utf-8", "replace"))
        os._exit(1)

    def _server(self, watch: Watch) -> Server:
        start = self._start
        doors = [
            Door(self._table.get(number), file.kind == "handover")
            for number, file in enumerate(start.files)
            if file.kind in ("listener", "handover")
        ]
        reuse = start.serving.reuse
        handling = Handling(
            *(self._machine, self._component, start.limits, start.calls[0]),
            reuse=reuse,
            watch=watch,
            report=self._report,
        )
        return Server(doors, handling, start.connections)

    def _report(self, text: str) -> None:
        """Say on the workload's own standard error, where the manifest lists one, what ended an instance."""
        for number, file in enumerate(self._start.files):
            if file.kind == "stderr":
                with suppress(OSError):
                    self._table.get(number).write([memoryview(text.encode("utf-8", "replace"))])

    def run(self) -> int:
        """Wait for the end of one of the processes, which is the end of all."""
        os.write(self._opening, bytes(self._start.serving.workers))
        _, status = os.wait()
        code = os.waitstatus_to_exitcode(status)
        limit = self._start.cpu_milliseconds
        if code in (-SIGPROF, -SIGXCPU) or (code == -SIGKILL and limit > 0):
            said = f"cpu_seconds = {limit / 1000:g}"
            raise Exhausted(said)
        said = os.read(self._said, MOST_SAID).decode("utf-8", "replace") if code >= 0 else f"by signal {-code}"
        raise Died(said)
