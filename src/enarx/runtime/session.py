# SPDX-License-Identifier: Apache-2.0
"""The agent's side of one guest: what it is given, what it asks for, how it ended."""

from __future__ import annotations

import errno
import math
import os
import select
import time
from collections.abc import Callable
from contextlib import suppress

from enarx.errors import EnarxError, Misused, Reason
from enarx.runtime import wire
from enarx.runtime.allowance import incoming, outgoing
from enarx.runtime.asked_keys import AskedKeys
from enarx.runtime.attesting import Attesting
from enarx.runtime.ending import ending
from enarx.runtime.engine.machine import Limits as StoreLimits
from enarx.runtime.entry import wanted
from enarx.runtime.guest.start import Folder, Serving, Start
from enarx.runtime.mounted import Mounted
from enarx.runtime.opening import End, Opening
from enarx.runtime.spawn import GuestProcess
from enarx.runtime.store import CodeStore
from enarx.runtime.wasi.errno import NOSYS
from enarx.runtime.wire import WireError
from enarx.runtime.workload import PROGRAM, Exit, Workload
from enarx.workload.manifest import Listen

MOST_FILES = 1024
MOST_CONNECTIONS = 1000
SIGKILL, SIGXCPU, SIGPROF = 9, 24, 27
DRAIN_SECONDS = 3.0
STORAGE = 256 << 20
MAX_TEXT = 1 << 16


class Session:
    """One guest from its start to its end; used by one thread.

    opening   the sockets and files that its manifest grants, open already
    on_running called once, when the guest is about to execute its first instruction, with the names of
               what the kernel lacked to confine it
    """

    def __init__(
        self,
        workload: Workload,
        opening: Opening,
        process: GuestProcess,
        store: CodeStore | None,
        on_running: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._workload = workload
        self._opening = opening
        self._process = process
        self._store = store if store is not None and store.usable else None
        self._on_running = on_running
        self._provided: dict[str, bytes] = {}
        self._attesting: Attesting | None = None
        self._mount: Mounted | None = None
        self._keys = AskedKeys(self._told)
        self._exit: Exit | None = None
        self._limits = workload.bounded()
        self._deadline: float | None = None
        self._running = False

    def provide(
        self, certificate: bytes, attest: Callable[[bytes], bytes] | None, mount: Mounted | None = None
    ) -> None:
        """What the guest may know of its Keep, `/attest/…`, and keep in it, `/sealed`."""
        if certificate:
            self._provided["/attest/certificate"] = certificate
        if attest is not None:
            self._provided["/attest/evidence"] = b""
            self._attesting = Attesting(attest, time.monotonic)
        if mount is not None:
            self._mount = mount
            self._provided[wire.SEALED_MARK] = mount.mark()
        elif self._workload.manifest.sealed is not None:
            raise Misused(Reason.NOT_GRANTED, "/sealed: the manifest asks for it, and there is no volume here")

    def begin(self) -> None:
        """Send the guest's process its workload; raises for a module that cannot be run."""
        self._wanted = wanted(self._workload.module)
        if self._wanted.serves and not any(isinstance(file, Listen) for file in self._workload.manifest.files):
            hint = 'list one under [[files]]: kind = "listen", with a name and a port'
            raise Misused(Reason.MISSING, "a file to listen on, for a component that answers HTTP requests", hint=hint)
        code = self._store.load(self._workload.module) if self._store else None
        self._send(code)

    def _send(self, code: int | None) -> None:
        workload, manifest = self._workload, self._workload.manifest
        module = code if code is not None else _anonymous("module", (workload.module,))
        tree = self._tree()
        folders = [Folder(guest, os.open(host, os.O_PATH | os.O_DIRECTORY)) for guest, host in workload.folders.items()]
        limits = self._limits
        start = Start(
            module=module,
            compiled=code is not None,
            keep_code=self._store is not None,
            args=[arg.encode() for arg in (PROGRAM, *manifest.args, *workload.args)],
            env=self._environment(),
            imports=self._wanted.imports,
            calls=self._wanted.calls,
            files=self._opening.files,
            folders=folders,
            tree=tree,
            limits=StoreLimits(limits.memory or -1, limits.table or -1, limits.instances or -1).shared(
                self._wanted.memories
            ),
            most_files=limits.files or MOST_FILES,
            storage=limits.storage or STORAGE,
            cpu_milliseconds=-1 if limits.cpu_seconds is None else math.ceil(limits.cpu_seconds * 1000),
            output_rate=limits.output_rate or -1,
            connections=limits.connections or MOST_CONNECTIONS,
            require_sandbox=workload.require_sandbox,
            component=self._wanted.component,
            outgoing=tuple(manifest.network.outgoing),
            serving=Serving(manifest.http.workers, manifest.http.requests_per_instance, manifest.http.request_seconds),
        )
        fields, descriptors = start.encode()
        with suppress(BrokenPipeError):
            self._process.channel.send(wire.START, *fields, descriptors=descriptors)
        for descriptor in (module, tree, *(folder.host for folder in folders)):
            if descriptor >= 0:
                os.close(descriptor)

    def _tree(self) -> int:
        """An anonymous file with the guest's files; -1 where there are none."""
        # A path that begins with a slash is no file of the package: the agent provides it there.
        secrets = {f"/secrets/{name}": raw for name, raw in self._workload.secrets.items()}
        files = {**self._workload.tree, **secrets, **self._provided}
        parts = [part for path, raw in files.items() for part in (path.encode(), raw)]
        return _anonymous("tree", (wire.join(parts),)) if parts else -1

    def _environment(self) -> list[bytes]:
        """Upstream puts FD_COUNT and FD_NAMES first; an `env` may then repeat them."""
        names = [file.name for file in self._workload.manifest.files]
        env = {**self._workload.manifest.env, **self._workload.env}
        first = [f"FD_COUNT={len(names)}", f"FD_NAMES={':'.join(names)}"] if self._workload.described else []
        return [one.encode() for one in (*first, *(f"{name}={value}" for name, value in env.items()))]

    def loop(self) -> Exit:
        """Serve the guest until it has ended; its process is gone afterwards."""
        gateway, channel = self._opening.gateway, self._process.channel
        if gateway is not None:
            gateway.watch(channel.fileno(), select.POLLIN, lambda _: self.hear())
        while self._exit is None:
            if gateway is not None:
                gateway.turn(self._left())
            elif channel.readable(self._left()):
                self.hear()
            self._expire()
        if gateway is not None:
            gateway.forget(channel.fileno())
        found = self._death(self._process.wait()) if self._exit == GONE else self._exit
        # What has told its ending may be hostile and stay: it is not asked to leave.
        self._process.kill()
        if (pump := self._opening.pump) is not None:
            pump.finish(DRAIN_SECONDS)
            if pump.overrun:
                found = Exit(reason=Reason.LIMIT_REACHED, detail=f"output_rate = {self._limits.output_rate}")
        if self._mount is not None:
            self._mount.finish()
        if gateway is not None:
            gateway.drain(DRAIN_SECONDS)
        return found

    def _expire(self) -> None:
        """End a guest whose time is over."""
        if self._exit is None and self._left() == 0:
            self._exit = Exit(reason=Reason.LIMIT_REACHED, detail=f"wall_seconds = {self._limits.wall_seconds}")

    def _left(self) -> float | None:
        """Seconds that the guest may still run; None without a limit."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def hear(self) -> None:
        """Take one message of the guest's process, which may be hostile by now."""
        try:
            received = self._process.channel.receive()
        except (WireError, TimeoutError):
            self._process.signal()
            received = None
        if received is None:
            self._exit = GONE
            return
        kind, fields, descriptors = received
        try:
            self._answer(kind, fields, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _answer(self, kind: int, fields: list[bytes], descriptors: list[int]) -> None:
        text = fields[0][:MAX_TEXT].decode("utf-8", "replace") if fields else ""
        match kind:
            case wire.RUNNING:
                self._began(text)
            case wire.COMPILED if not self._running:
                # Only code from before the guest's first instruction is the compiler's.
                if self._store is not None and descriptors:
                    self._store.save(self._workload.module, descriptors[0])
            case wire.STALE if not self._running:
                self._send(None)
            case wire.CONNECT if self._running:
                self._connect(text, fields[1:])
            case wire.LISTEN if self._running:
                self._listen(text)
            case wire.ATTEST if self._running:
                self._attest(fields[0] if fields else b"")
            case wire.KEY if self._running:
                self._keys.ask(fields)
            case wire.SEALED if self._running:
                self._sealed(fields)
            case _:
                self._exit = ending(kind, text)

    def _attest(self, asked: bytes) -> None:
        try:
            evidence = self._attesting.evidence(asked) if self._attesting else None
        except EnarxError:
            evidence = None
        with suppress(OSError):
            if evidence is None:
                self._process.channel.send(wire.REFUSED, str(errno.EAGAIN).encode())
            else:
                self._process.channel.send(wire.GRANTED, evidence)

    def _sealed(self, fields: list[bytes]) -> None:
        self._told(self._mount.answer(fields) if self._mount else NOSYS)

    def _told(self, answer: list[bytes] | int) -> None:
        """Answer the one request that the guest waits for: fields, or a WASI error number."""
        with suppress(OSError):
            if isinstance(answer, int):
                self._process.channel.send(wire.REFUSED, str(answer).encode())
            else:
                self._process.channel.send(wire.GRANTED, *answer)

    def _connect(self, name: str, only: list[bytes]) -> None:
        """Open a connection; `only` is the protocol that it must have, for guests that say one."""
        file = outgoing(self._workload.manifest.network, name)
        if file is not None and only and file.prot.encode() not in only:
            file = None
        if file is None or self._opening.doorway is None:
            self._reply("", None, errno.EACCES)
        else:
            self._opening.doorway.ask_connect(file, self._reply)

    def _listen(self, name: str) -> None:
        file = incoming(self._workload.manifest.network, name)
        if file is None or self._opening.doorway is None:
            self._reply("", None, errno.EACCES)
        else:
            self._opening.doorway.ask_listen(file, self._reply)

    def _reply(self, kind: str, end: End | None, number: int) -> None:
        """Answer the one request that the guest waits for."""
        with suppress(OSError):
            if end is None:
                self._process.channel.send(wire.REFUSED, str(number).encode())
                return
            host = end.detach()
            try:
                self._process.channel.send(wire.GRANTED, kind.encode(), descriptors=(host,))
            finally:
                os.close(host)

    def _began(self, lacking: str) -> None:
        self._running = True
        self._opening.handed_over()
        if self._opening.pump is not None:
            self._opening.pump.start(self._process.signal)
        if self._limits.wall_seconds is not None:
            self._deadline = time.monotonic() + self._limits.wall_seconds
        self._on_running(tuple(filter(None, lacking.split(","))))

    def _death(self, status: int) -> Exit:
        """The ending of a process that did not get to say one."""
        if status in (-SIGPROF, -SIGXCPU) or (status == -SIGKILL and self._limits.cpu_seconds is not None):
            return Exit(reason=Reason.LIMIT_REACHED, detail=f"cpu_seconds = {self._limits.cpu_seconds}")
        if status < 0:
            return Exit(reason=Reason.KEEP_DIED, detail=f"the guest's process was ended by signal {-status}")
        return Exit(reason=Reason.KEEP_DIED, detail="the guest's process ended without a word")


GONE = Exit(reason=Reason.KEEP_DIED)


def _anonymous(name: str, parts: tuple[bytes, ...]) -> int:
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]
    return descriptor
