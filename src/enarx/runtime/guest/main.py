# SPDX-License-Identifier: Apache-2.0
"""The guest's process, from its first line to its last.

Started with the channel to its agent as descriptor 3 and nothing else. Says `RUNNING` before the
guest's first instruction and one of the endings after its last.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import partial
from typing import NoReturn

from enarx.runtime import wire
from enarx.runtime.channel import Channel, wrap
from enarx.runtime.engine.capi import Library
from enarx.runtime.engine.machine import EngineError, Machine, Trapped
from enarx.runtime.guest.ready import Ready, sealed
from enarx.runtime.guest.sandbox import bound, close, separate
from enarx.runtime.guest.start import Start
from enarx.runtime.guest.system import ModuleProgram, Program
from enarx.runtime.wasi.process import Ended
from enarx.runtime.wasi.stream import Exhausted

CHANNEL = 3
PR_SET_PDEATHSIG = 1
SIGINT, SIGKILL = 2, 9
AGENT_GONE = 1
HANDLER = "wasi:http/incoming-handler@"


def main(library: str, parent: int, *, folders: bool = True) -> NoReturn:
    """Wait for the workload, run it, report how it ended, and go.

    folders  whether the workload may bring folders of the host
    """
    die_with(parent)
    os.closerange(CHANNEL + 1, 1 << 20)
    channel = wrap(CHANNEL)
    code = AGENT_GONE
    try:
        machine = Machine(Library(library))
        ready = Ready(machine, lambda: apart(parent), folders=folders)
        ready.prepare(channel)
        kind, *fields = run(machine, ready, started(channel), channel)
        channel.send(kind, *fields)
        code = 0
    except (BrokenPipeError, EOFError):
        pass
    except BaseException as error:  # noqa: BLE001 - the last door: what went wrong here is for the agent to say
        channel.send(wire.FAULTED, described(error).encode("utf-8", "replace"))
    os._exit(code)


def described(error: BaseException) -> str:
    """Where an error came from and what it says; nothing can be imported any more by then."""
    lines, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        lines.append(f"{code.co_filename.rpartition('/enarx/')[2]}:{step.tb_lineno} in {code.co_name}")
        step = step.tb_next
    return "\n".join((*lines, f"{type(error).__name__}: {error}"))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the agent's thread that made it ends.

    An interrupt from the terminal ends it at once too: Python's own handler would wait for bytecode.
    """
    libc = ctypes.PyDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    libc.signal(SIGINT, None)
    if os.getppid() != parent:
        os._exit(AGENT_GONE)


def apart(parent: int) -> list[str]:
    """Leave the agent's namespaces; what this kernel lacks for it."""
    lacking = separate()
    # Losing privileges makes the kernel forget whose death is ours: prctl(2).
    die_with(parent)
    return lacking


def started(channel: Channel) -> Start:
    """What the agent wants run; EOFError when it hangs up instead."""
    received = channel.receive()
    if received is None or received[0] != wire.START:
        raise EOFError
    return Start.parse(received[1], received[2])


def run(machine: Machine, ready: Ready, start: Start, channel: Channel) -> tuple[int, bytes]:
    """The whole life of one guest; the message that tells how it ended."""
    program = prepared(machine, ready, start, channel)
    folders = [folder.host for folder in start.folders]
    lacking = ready.confine(folders)
    bound(start.most_files, start.cpu_milliseconds)
    if lacking and start.require_sandbox:
        return wire.UNLOCKED, ", ".join(lacking).encode()
    try:
        load(program, start, channel)
    except EngineError as error:
        return wire.REJECTED, str(error).encode()
    lacking += [part for part in program.settle(partial(close, folders)) if part not in lacking]
    if lacking and start.require_sandbox:
        return wire.UNLOCKED, ", ".join(lacking).encode()
    channel.send(wire.RUNNING, ",".join(lacking).encode())
    return execute(program)


def prepared(machine: Machine, ready: Ready, start: Start, channel: Channel) -> Program:
    """The guest that is asked for, with what it imports at hand."""
    if start.component and start.calls[0].startswith(HANDLER):
        from enarx.runtime.guest.http import HttpProgram

        return HttpProgram(machine, start, channel, die_with)
    if start.component:
        from enarx.runtime.guest.component import ComponentProgram

        return ComponentProgram(machine, start, channel)
    return ModuleProgram(machine, ready.system, start, channel)


def execute(program: Program) -> tuple[int, bytes]:
    """Run it; the message that tells how it ended."""
    try:
        code = program.run()
    except Exhausted as exhausted:
        return wire.EXHAUSTED, str(exhausted).encode()
    except Ended as ended:
        return wire.EXITED, str(ended.code).encode()
    except Trapped as trapped:
        return wire.TRAPPED, trapped.text.encode()
    except EngineError as error:
        return wire.REJECTED, str(error).encode()
    return wire.EXITED, str(code).encode()


def load(program: Program, start: Start, channel: Channel) -> None:
    """Have the code: from what the agent vouches for, or compiled here and shown to the agent.

    Raises EngineError for a module that does not validate.
    """
    if start.compiled:
        try:
            program.load(f"/proc/self/fd/{start.module}")
        except EngineError:
            # Code of another processor, say. The module itself comes in the next message.
            channel.send(wire.STALE)
            start = started(channel)
        else:
            return
    size = os.fstat(start.module).st_size
    made = program.compile(os.pread(start.module, size, 0))
    if start.keep_code:
        code = sealed(made())
        channel.send(wire.COMPILED, descriptors=(code,))
        os.close(code)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
