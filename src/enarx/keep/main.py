# SPDX-License-Identifier: Apache-2.0
"""The program inside a Keep: does the IO that the story asks for, and reports each step."""

from __future__ import annotations

import argparse
import ctypes
import signal
import socket
from collections.abc import Sequence

from enarx.errors import EnarxError, Faulty, Reason
from enarx.keep.link import Link
from enarx.keep.story import State
from enarx.workload import launch as launch_document

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def main(argv: Sequence[str] | None = None) -> int:
    """Tell the story of one Keep; returns the agent's exit code."""
    parser = argparse.ArgumentParser(prog="enarx.keep")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--device", default="")
    parser.add_argument("--code")
    parser.add_argument("--sealed", type=int)
    parser.add_argument("--own-clock", action="store_true")
    for name in ("stdin", "stdout", "stderr"):
        parser.add_argument(f"--{name}", type=int)
    options = parser.parse_args(argv)
    _guard_memory()
    link = Link(socket.socket(fileno=options.control))
    try:
        return _opened(link, options)
    except EnarxError as error:
        link.report("state", state=str(State.REFUSED))
        link.refused(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: whoever waits must hear of it
        link.refused(Faulty(Reason.INTERNAL, f"the agent: {error!r}"))
        return 70


def _opened(link: Link, options: argparse.Namespace) -> int:
    """Read what the Keep is opened for. What does it needs libraries that take longer to load than to be asked."""
    opening = link.opening()
    launch = launch_document.parse(opening.launch)
    link.report("state", state=str(State.OPENED))
    from enarx.keep.native_part import asked_for

    if asked_for(launch):
        from enarx.keep import device, native  # a whole service: no guest's Keep shall load it

        native.NativeAgent(opening, link, device.named(options.device)).run()
        return 0
    from enarx.keep.tell import tell

    return tell(link, opening, options)


def _guard_memory() -> None:
    """End with the launcher, and let no other process of this user read the key from memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
