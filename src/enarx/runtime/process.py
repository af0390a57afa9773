# SPDX-License-Identifier: Apache-2.0
"""The door of the runtime: run a workload in a process of its own, and learn how it ended.

`run` serves the guest from the calling thread. `start` gives it a thread of its own and returns while
it runs. Either way the guest ends with the thread that serves it, whatever becomes of the program.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import NamedTuple

from enarx.errors import EnarxError, Faulty, Reason
from enarx.runtime.mounted import Mounted
from enarx.runtime.opening import Door, open_files
from enarx.runtime.session import Session
from enarx.runtime.spawn import GuestProcess, spawn
from enarx.runtime.store import CodeStore
from enarx.runtime.workload import Bound, Exit, Identity, Stdio, Workload

Attest = Callable[[bytes], bytes]
STOPPED = 143
"""128 + SIGTERM, as a shell reports a program that was told to stop."""


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a door


def run(
    workload: Workload,
    *,
    identity: Identity | None = None,
    stdio: Stdio | None = None,
    store: CodeStore | None = None,
    process: GuestProcess | None = None,
    on_running: Callable[[tuple[str, ...]], None] | None = None,
    attest: Attest | None = None,
    mount: Mounted | None = None,
) -> Exit:
    """Run to the end. Raises what kept the guest from starting.

    identity  who the guest is in TLS; None makes a self-signed certificate that says so
    store     where compiled code is kept; None compiles anew
    process   a guest's process that was spawned earlier
    on_running  called before the first instruction, with what the kernel lacked of the sandbox
    attest    makes evidence with purpose `guest` over the guest's bytes; None leaves `/attest/evidence` out
    mount     the sealed volume at `/sealed`, which only the manifest asks for
    """
    process = process or spawn(folders=bool(workload.folders))
    try:
        opening = open_files(workload, identity, stdio or Stdio(), _now)
        try:
            session = Session(workload, opening, process, store, on_running or (lambda _: None))
            session.provide(identity.chain_pem if identity else b"", attest, mount)
            session.begin()
            return session.loop()
        finally:
            opening.close()
    finally:
        process.kill()


class Job(NamedTuple):
    """What a guest's process is to run, and with what."""

    workload: Workload
    identity: Identity | None
    stdio: Stdio
    store: CodeStore | None
    attest: Attest | None
    mount: Mounted | None


class Guest:
    """A guest's process, which gets ready from its construction on, and then the guest that runs in it.

    ready    set when it executes its first instruction
    bound    its listening sockets
    lacking  the parts of the sandbox that this kernel does not have
    """

    def __init__(self, *, folders: bool = False) -> None:
        self.ready = threading.Event()
        self.bound: Sequence[Bound] = ()
        self.lacking: tuple[str, ...] = ()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._opened = threading.Event()
        self._over = threading.Event()
        self._exit: Exit | None = None
        self._refused: BaseException | None = None
        self._process: GuestProcess | None = None
        self._doorway: Door | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, args=(folders,), name="guest", daemon=True)
        self._thread.start()

    def begin(self, job: Job) -> None:
        """Run this; its sockets are bound when this returns. Raises what kept it from starting."""
        self._jobs.put(job)
        self._opened.wait()
        if self._refused is not None:
            raise self._refused

    def _running(self, lacking: tuple[str, ...]) -> None:
        self.lacking = lacking
        self.ready.set()

    def _serve(self, folders: bool) -> None:  # noqa: FBT001 - the one argument of a thread
        try:
            self._process = spawn(folders=folders)
            job = self._jobs.get()
            if job is not None:
                self._run(self._process, job)
        except EnarxError as error:
            self._refused = error
        except Exception as error:  # noqa: BLE001 - a door: the one who waits must hear of it
            self._refused = Faulty(Reason.INTERNAL, f"running the guest: {error!r}")
        finally:
            if self._process is not None:
                self._process.kill()
            self._opened.set()
            self._over.set()

    def _run(self, process: GuestProcess, job: Job) -> None:
        opening = open_files(job.workload, job.identity, job.stdio, _now)
        self.bound = tuple(opening.bound)
        self._doorway = opening.doorway
        try:
            session = Session(job.workload, opening, process, job.store, self._running)
            session.provide(job.identity.chain_pem if job.identity else b"", job.attest, job.mount)
            session.begin()
            self._opened.set()
            self._exit = session.loop()
        finally:
            opening.close()

    def wait(self, timeout: float | None = None) -> Exit | None:
        """How it ended; None when it still runs after `timeout` seconds."""
        if not self._over.wait(timeout):
            return None
        if self._stopping:
            return Exit(code=STOPPED, detail="stopped")
        if self._exit is None:
            raise self._refused or Faulty(Reason.INTERNAL, "the guest ended without an ending")
        return self._exit

    def renew(self, identity: Identity) -> None:
        """Be this in TLS from now on; connections that are open go on under the certificate they began with."""
        if self._doorway is not None:
            self._doorway.renew(identity)

    def dismiss(self) -> None:
        """End a process that was given nothing to run; one that was goes on."""
        self._jobs.put(None)

    def stop(self) -> Exit:
        """End it now, and say so."""
        if not self._over.is_set() and self._process is not None:
            self._stopping = True
            self._process.signal()
        self._over.wait()
        return self.wait() or Exit(code=STOPPED)


def start(
    workload: Workload,
    *,
    identity: Identity | None = None,
    stdio: Stdio | None = None,
    store: CodeStore | None = None,
    attest: Attest | None = None,
    mount: Mounted | None = None,
    waiting: Guest | None = None,
) -> Guest:
    """Start a guest whose sockets are bound when this returns. Raises what kept it from starting.

    waiting  a guest's process that was made earlier, for a workload without folders of the host
    """
    guest = waiting or Guest(folders=bool(workload.folders))
    guest.begin(Job(workload, identity, stdio or Stdio(), store, attest, mount))
    return guest
