# SPDX-License-Identifier: Apache-2.0
"""The guest's process, from its first line to its last.

Started with the channel to its agent as descriptor 3 and nothing else. Says `RUNNING` before the
guest's first instruction and one of the endings after its last.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import NoReturn

from enarx.runtime import wire
from enarx.runtime.channel import Channel, wrap
from enarx.runtime.engine.capi import Library
from enarx.runtime.engine.machine import EngineError, Machine, Trapped
from enarx.runtime.guest.start import Start
from enarx.runtime.guest.system import System
from enarx.runtime.wasi.process import Ended

CHANNEL = 3
PR_SET_PDEATHSIG = 1
SIGINT, SIGKILL = 2, 9
AGENT_GONE = 1


def main(library: str, parent: int) -> NoReturn:
    """Wait for the workload, run it, report how it ended, and go."""
    die_with(parent)
    os.closerange(CHANNEL + 1, 1 << 20)
    channel = wrap(CHANNEL)
    code = AGENT_GONE
    try:
        machine = Machine(Library(library))
        kind, *fields = run(machine, started(channel), channel)
        channel.send(kind, *fields)
        code = 0
    except (BrokenPipeError, EOFError):
        pass
    except BaseException:  # noqa: BLE001 - the last door: what went wrong here is for the agent to say
        import traceback

        channel.send(wire.FAULTED, traceback.format_exc().encode("utf-8", "replace"))
    os._exit(code)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the agent's thread that made it ends.

    An interrupt from the terminal ends it at once too: Python's own handler would wait for bytecode.
    """
    libc = ctypes.PyDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    libc.signal(SIGINT, None)
    if os.getppid() != parent:
        os._exit(AGENT_GONE)


def started(channel: Channel) -> Start:
    """What the agent wants run; EOFError when it hangs up instead."""
    received = channel.receive()
    if received is None or received[0] != wire.START:
        raise EOFError
    return Start.parse(received[1], received[2])


def run(machine: Machine, start: Start, channel: Channel) -> tuple[int, bytes]:
    """The whole life of one guest; the message that tells how it ended."""
    try:
        module = load(machine, start, channel)
    except EngineError as error:
        if not start.compiled:
            return wire.REJECTED, str(error).encode()
        channel.send(wire.STALE)
        return run(machine, started(channel), channel)
    try:
        machine.limit(start.limits)
        system = System(machine, start)
        system.define(start.imports)
        channel.send(wire.RUNNING)
        instance = machine.instantiate(module, system.memory, system.bridge)
        for name in start.calls:
            machine.call(instance, name, system.bridge)
    except Ended as ended:
        return wire.EXITED, str(ended.code).encode()
    except Trapped as trapped:
        return wire.TRAPPED, trapped.text.encode()
    except EngineError as error:
        return wire.REJECTED, str(error).encode()
    return wire.EXITED, b"0"


def load(machine: Machine, start: Start, channel: Channel) -> int:
    """The module: from code that the agent vouches for, or compiled here and shown to the agent.

    Raises EngineError for a module that does not validate, and for code of another processor.
    """
    if start.compiled:
        return machine.load(f"/proc/self/fd/{start.module}")
    size = os.fstat(start.module).st_size
    module = machine.compile(os.pread(start.module, size, 0))
    if start.keep_code:
        code = sealed(machine.serialize(module))
        channel.send(wire.COMPILED, descriptors=(code,))
        os.close(code)
    return module


def sealed(raw: bytes) -> int:
    """An anonymous file with this content that no one can change any more."""
    import fcntl

    descriptor = os.memfd_create("code", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(raw)
    while view:
        view = view[os.write(descriptor, view) :]
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
