# SPDX-License-Identifier: Apache-2.0
"""The story, told: the agent with all that it needs, imported when the launch document has come."""

from __future__ import annotations

import argparse
import signal
import socket
from pathlib import Path

from enarx.errors import Faulty, Reason
from enarx.keep import local
from enarx.keep.agent import Agent
from enarx.keep.device import named
from enarx.keep.link import Link, Opening
from enarx.keep.story import FINAL, TABLE, State
from enarx.platform.objects import RemoteObjects
from enarx.runtime.store import CodeStore
from enarx.runtime.workload import Exit
from enarx.workload import launch as launch_document


def tell(link: Link, opening: Opening, options: argparse.Namespace) -> int:
    """From the launch document to the end of the guest; raises what kept it from being told."""
    stdio = {name: fd for name in ("stdin", "stdout", "stderr") if (fd := getattr(options, name)) is not None}
    store = CodeStore(Path(options.code)) if options.code else None
    if local.asked_for(launch_document.parse(opening.launch)):
        ended = local.LocalAgent(opening, link, stdio, store).run()
    else:
        objects = RemoteObjects(socket.socket(fileno=options.sealed)) if options.sealed is not None else None
        ended = _whole(
            Agent(opening, link, named(options.device), stdio, store, objects, own_clock=options.own_clock), link
        )
    if (error := ended.error()) is not None:
        link.report("trace", text=ended.trace)
        raise error
    link.report("ended", code=ended.code)
    return 0


def _whole(agent: Agent, link: Link) -> Exit:
    """The story of a Keep that somebody identifies, act by act."""
    signal.signal(signal.SIGTERM, lambda *_: agent.stop.set())
    state = State.OPENED
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
