# SPDX-License-Identifier: Apache-2.0
"""What a guest's process does before it knows its guest, as long as nobody asks it for more.

In a warm Keep all of it is done when the workload comes: modules loaded, the functions of preview 1
defined, the sandbox closed. Where the workload is there at once, the rest is done on demand.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence

from enarx.runtime.channel import Channel
from enarx.runtime.engine.machine import Machine
from enarx.runtime.guest import sandbox
from enarx.runtime.guest.system import System
from enarx.runtime.wasi.signature import PARAMETERS

COMMON = ("wasi.path", "guest.tree", "wasi.hostdir", "wasi.socket")
RARE = ("guest.sealed", "guest.component", "guest.http")
"""Loaded only where no file can be opened later."""
IDLE_SECONDS = 0.5
NOTHING = b"\0asm\1\0\0\0"


class Ready:
    """How far this process has come.

    separate  leaves the namespaces of its agent; what the kernel lacks
    folders   whether the workload may bring folders of the host: the sandbox then has to wait for it
    """

    def __init__(self, machine: Machine, separate: Callable[[], list[str]], *, folders: bool) -> None:
        self._machine = machine
        self.system = System(machine)
        self.lacking: list[str] = []
        self._separate = separate
        self._folders = folders
        self._apart = self._locked = False

    def prepare(self, channel: Channel) -> None:
        """Go on until the agent says something or nothing is left to do."""
        for patience in self._steps():
            if channel.readable(patience):
                return

    def _steps(self) -> Iterator[float]:
        """One step after the other; the seconds to listen to the agent before the next."""
        for name in COMMON:
            __import__(f"enarx.runtime.{name}")
            yield 0
        self._leave()
        yield 0
        for name in PARAMETERS:
            self.system.define((name,))
            yield 0
        if self._folders:
            return
        # Nobody may need what comes now; whoever waits so long has the time for it.
        yield IDLE_SECONDS
        for name in RARE:
            __import__(f"enarx.runtime.{name}")
            yield 0
        for where in _interfaces():
            __import__(f"enarx.runtime.component.{where}")
            yield 0
        self._lock(())
        yield 0
        sandbox.last(())
        yield 0
        self._rehearse()

    def _rehearse(self) -> None:
        """Compile and load a module of nothing: an engine's first time takes longer."""
        made = self._machine.compile(NOTHING)
        code = sealed(self._machine.serialize(made))
        for module in (made, self._machine.load(f"/proc/self/fd/{code}")):
            self._machine.forget(module)
        os.close(code)

    def confine(self, folders: Sequence[int]) -> list[str]:
        """Do what is left of the sandbox; the names of what this kernel lacks."""
        self._leave()
        self._lock(folders)
        return self.lacking

    def _leave(self) -> None:
        if not self._apart:
            self._apart = True
            self.lacking += self._separate()

    def _lock(self, folders: Sequence[int]) -> None:
        if not self._locked:
            self._locked = True
            self.lacking += sandbox.lock(folders)


def _interfaces() -> list[str]:
    from enarx.runtime.component.world import WHERE

    return list(WHERE.values())


def sealed(raw: bytes) -> int:
    """An anonymous file with this content that no one can change any more."""
    descriptor = os.memfd_create("code", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(raw)
    while view:
        view = view[os.write(descriptor, view) :]
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor
