# SPDX-License-Identifier: Apache-2.0
"""The program inside a Keep: does the IO that the story asks for, and reports each step."""

from __future__ import annotations

import argparse
import ctypes
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from enarx.errors import EnarxError, Faulty, Reason
from enarx.evidence.kind import Kind
from enarx.keep import local
from enarx.keep.agent import Agent
from enarx.keep.device import Device, NoDevice, SimulatedDevice, TpmDevice
from enarx.keep.link import Link
from enarx.keep.native_part import asked_for
from enarx.keep.story import FINAL, TABLE, State
from enarx.platform.objects import Objects, RemoteObjects
from enarx.runtime.store import CodeStore
from enarx.runtime.workload import Exit
from enarx.workload import launch as launch_document

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def main(argv: Sequence[str] | None = None) -> int:
    """Tell the story of one Keep; returns the agent's exit code."""
    parser = argparse.ArgumentParser(prog="enarx.keep")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--device", default="")
    parser.add_argument("--code", type=Path)
    parser.add_argument("--sealed", type=int)
    for name in ("stdin", "stdout", "stderr"):
        parser.add_argument(f"--{name}", type=int)
    options = parser.parse_args(argv)
    _guard_memory()
    stdio = {name: fd for name in ("stdin", "stdout", "stderr") if (fd := getattr(options, name)) is not None}
    link = Link(socket.socket(fileno=options.control))
    try:
        store = CodeStore(options.code) if options.code else None
        objects = RemoteObjects(socket.socket(fileno=options.sealed)) if options.sealed is not None else None
        return _tell(link, _device(options.device), stdio, store, objects)
    except EnarxError as error:
        link.report("state", state=str(State.REFUSED))
        link.refused(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: whoever waits must hear of it
        link.refused(Faulty(Reason.INTERNAL, f"the agent: {error!r}"))
        return 70


def _tell(link: Link, device: Device, stdio: dict[str, int], store: CodeStore | None, objects: Objects | None) -> int:
    opening = link.opening()
    launch = launch_document.parse(opening.launch)
    if asked_for(launch):
        from enarx.keep.native import NativeAgent  # a whole service: no guest's Keep shall load it

        NativeAgent(opening, link, device).run()
        return 0
    if local.asked_for(launch):
        ended = local.LocalAgent(opening, link, stdio, store).run()
    else:
        ended = _whole(Agent(opening, link, device, stdio, store, objects), link)
    if (error := ended.error()) is not None:
        link.report("trace", text=ended.trace)
        raise error
    link.report("ended", code=ended.code)
    return 0


def _whole(agent: Agent, link: Link) -> Exit:
    """The story of a Keep that somebody identifies, act by act."""
    signal.signal(signal.SIGTERM, lambda *_: agent.stop.set())
    state = State.OPENED
    link.report("state", state=str(state))
    try:
        while state not in FINAL:
            act, after = TABLE[state]
            agent.perform(act)
            state = after
            link.report("state", state=str(state))
    finally:
        agent.close()
    if agent.exit is None:
        raise Faulty(Reason.INTERNAL, "the story ended without an ending")
    return agent.exit


def _device(text: str) -> Device:
    kind, _, fd = text.partition(":")
    if fd.startswith("/"):
        return TpmDevice(fd)
    return SimulatedDevice(Kind(kind), socket.socket(fileno=int(fd))) if fd else NoDevice()


def _guard_memory() -> None:
    """End with the launcher, and let no other process of this user read the key from memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
