# SPDX-License-Identifier: Apache-2.0
"""A Keep on the `process` backend: the agent as a process of its own, without a TEE.

The launcher is host software: it starts the agent, hands it the launch document, plays a
simulated chip when one was asked for, and passes on what the agent reports. It decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from enarx.errors import EnarxError, Faulty, Reason, Undetermined
from enarx.platform.chip import Chip, played
from enarx.platform.control import Deframer, frame, node_messages
from enarx.platform.objects_store import served

STOP_PATIENCE = 5.0
"""Seconds that an agent has to end when it is asked to."""


class ProcessKeep:
    """One running agent. Use as a context manager: leaving it ends the agent."""

    def __init__(
        self,
        launch_document: bytes,
        *,
        chip: Chip | None,
        attest: str,
        cas: bytes = b"",
        nodes: Mapping[str, bytes] | None = None,
        stdio: Mapping[str, int],
        code: Path | None = None,
        sealed: Path | None = None,
    ) -> None:
        """Start an agent.

        attest  "HOST:PORT" where relying parties may ask; port 0 chooses a free one
        cas     PEM of the CA certificates whose keys the launch document pins
        nodes   the package's nodes by path, for a launch without a registry
        stdio   "stdin", "stdout", "stderr" -> the host's file descriptor, as the launch says
        code    folder where agents of this user keep compiled code, authenticated by a key beside it
        sealed  folder for what the guest keeps at `/sealed`; the agent seals it
        """
        self._nodes = dict(nodes or {})
        self._control, theirs = socket.socketpair()
        arguments = ["--control", str(theirs.fileno())]
        passed = [theirs.fileno()]
        if code is not None:
            arguments += ["--code", str(code)]
        device: socket.socket | None = None
        if chip is not None:
            device = played(chip)
            passed.append(device.fileno())
            arguments += ["--device", f"{chip.kind}:{device.fileno()}"]
        objects = served(sealed) if sealed is not None else None
        if objects is not None:
            passed.append(objects.fileno())
            arguments += ["--sealed", str(objects.fileno())]
        copies = {name: os.dup(fd) for name, fd in stdio.items()}  # 0 to 2 are the agent's own
        for name, fd in copies.items():
            passed.append(fd)
            arguments += [f"--{name}", str(fd)]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "enarx.keep", *arguments],
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        for fd in copies.values():
            os.close(fd)
        for end in (device, objects):
            if end is not None:
                end.close()
        self._sending = threading.Lock()
        self._send({"op": "open", "launch": launch_document, "cas": cas, "attest": attest})

    @property
    def pid(self) -> int:
        """The agent's process id."""
        return self._process.pid

    def events(self) -> Iterator[dict[str, Any]]:
        """What the agent reports, until it ends. Requests for nodes are served on the way."""
        deframer = Deframer()
        while received := self._receive():
            for message in deframer.feed(received):
                if message.get("event") == "want":
                    self._serve_node(str(message.get("path", "")))
                else:
                    yield message
        with contextlib.suppress(EnarxError):
            deframer.done()

    def wait(self) -> int:
        """The agent's exit code."""
        return self._process.wait()

    def ask_to_stop(self) -> None:
        """Ask the agent to end its guest and itself."""
        with contextlib.suppress(Undetermined):
            self._send({"op": "stop"})

    def stop(self) -> None:
        """End the agent: asked first, then by force. Safe to call twice."""
        if self._process.poll() is None:
            self.ask_to_stop()
            try:
                self._process.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._control.close()

    def __enter__(self) -> ProcessKeep:  # noqa: PYI034 - `typing.Self` says less here
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _receive(self) -> bytes:
        try:
            return self._control.recv(65536)
        except OSError:
            return b""

    def _send(self, message: dict[str, Any]) -> None:
        try:
            with self._sending:
                self._control.sendall(frame(message))
        except OSError:
            raise Undetermined(Reason.KEEP_DIED, "the Keep's agent is gone") from None

    def _serve_node(self, path: str) -> None:
        for message in node_messages(path, self._nodes.get(path)):
            self._send(message)


def raised(message: dict[str, Any]) -> EnarxError:
    """The error that an agent reports, as an error here; a strange report is our own fault."""
    from enarx.errors import FAMILIES

    families = {family.family: family for family in FAMILIES}
    family, reason = families.get(str(message.get("family"))), str(message.get("reason"))
    if family is None or reason not in list(Reason):
        return Faulty(Reason.INTERNAL, "the agent reports an error in no known form")
    return family(Reason(reason), str(message.get("subject", "")), hint=str(message.get("hint", "")))
