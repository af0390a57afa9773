# SPDX-License-Identifier: Apache-2.0
"""Start the guest's process: a bare interpreter with one descriptor, as early as possible.

Loaded before anything else of a run, so that the guest's process gets ready while its agent still
reads the manifest.
"""

from __future__ import annotations

import _thread
import os
import sys

from enarx.runtime.channel import Channel, pair
from enarx.runtime.engine.capi import library_path

SOURCE = __file__.rpartition("/enarx/")[0]
SIGKILL = 9
PATIENCE = 30.0
"""Seconds that one message may take to arrive whole, or to be taken."""
FOLDERS = "folders"
BOOT = (
    "import sys;sys.path.insert(0,sys.argv[1]);"
    "from enarx.runtime.guest.main import main;main(sys.argv[2],int(sys.argv[3]),folders=sys.argv[4:]==['folders'])"
)


class GuestProcess:
    """A guest's process that waits for its workload; `channel` leads to it.

    One thread waits; another may `signal` meanwhile, never after the process was reaped.
    """

    def __init__(self, pid: int, channel: Channel) -> None:
        self.pid = pid
        self.channel = channel
        self._lock = _thread.allocate_lock()
        self._status: int | None = None

    def wait(self) -> int:
        """The exit code, negative for a signal, once the process has ended."""
        if self._status is None:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            with self._lock:
                _, status = os.waitpid(self.pid, 0)
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def signal(self) -> None:
        """End it; does nothing when it has ended."""
        with self._lock:
            if self._status is None:
                os.kill(self.pid, SIGKILL)

    def kill(self) -> None:
        """End it now, and leave nothing behind."""
        self.signal()
        self.wait()
        self.channel.close()


def spawn(boot: str = BOOT, *, folders: bool = False) -> GuestProcess:
    """A guest's process. The calling thread must outlive it: the kernel ends the two together.

    folders  whether its workload may bring folders of the host; without, its sandbox closes at once
    boot     the program of its interpreter; tests put one here that attacks
    """
    library = library_path()
    if not library:
        raise _no_engine()
    ours, theirs = pair()
    arguments = (boot, SOURCE, library, str(os.getpid()), *([FOLDERS] if folders else []))
    actions = [
        (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
        *((os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)),
    ]
    command = [sys.executable, "-I", "-S", "-c", *arguments]
    pid = os.posix_spawn(sys.executable, command, {}, file_actions=actions)
    theirs.close()
    ours.settimeout(PATIENCE)
    return GuestProcess(pid, Channel(ours))


def _no_engine() -> Exception:
    """Said here and not in `errors`' company above: loading it would delay every guest."""
    from enarx.errors import Reason, Undetermined

    hint = "install it with: pip install 'enarx[keep]'"
    return Undetermined(Reason.BACKEND_UNAVAILABLE, "process: the package wasmtime is not installed", hint=hint)
