# SPDX-License-Identifier: Apache-2.0
"""The agent's end of the control stream: reports go out, the launch document and nodes come in.

The launcher is the host: what it sends is parsed strictly and steers nothing but where to listen
and when to stop. The launch document is believed because the evidence will show its digest.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.platform.control import Deframer, frame


class Opening:
    """The launcher's first message: the launch document, certificates, and where to listen.

    launch  the launch document's bytes
    cas     PEM of CA certificates; one is believed when its key has the digest that the launch pins
    attest  host and port at which relying parties may ask
    """

    __slots__ = ("attest", "cas", "launch")

    def __init__(self, message: dict[str, Any]) -> None:
        launch, cas, attest = message.get("launch"), message.get("cas"), message.get("attest")
        well_formed = message.keys() == {"op", "launch", "cas", "attest"} and message["op"] == "open"
        if not (well_formed and isinstance(launch, bytes) and isinstance(cas, bytes) and isinstance(attest, str)):
            raise Malformed(Reason.SYNTAX, "opening message of the launcher")
        self.launch = launch
        self.cas = cas
        host, _, port = attest.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise Malformed(Reason.SYNTAX, f"address for relying parties {attest!r}")
        self.attest = (host.strip("[]"), int(port))


class Link:
    """One control stream. Reading happens in the caller's thread until `watch` takes over."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._deframer = Deframer()
        self._pending: list[dict[str, Any]] = []
        self._sending = threading.Lock()

    def opening(self) -> Opening:
        """What the Keep is opened for."""
        return Opening(self._next())

    def report(self, event: str, **more: Any) -> None:
        """Tell the launcher something. A launcher that is gone is no reason to stop by itself."""
        with contextlib.suppress(OSError), self._sending:
            self._stream.sendall(frame({"event": event, **more}))

    def refused(self, error: EnarxError) -> None:
        """Tell the launcher why the story ends."""
        self.report("refused", family=error.family, reason=str(error.reason), subject=error.subject, hint=error.hint)

    def node(self, path: str, limit: int) -> bytes:
        """A node of the package from the launcher, at most `limit` + 1 bytes of it, unchecked."""
        self.report("want", path=path)
        parts = bytearray()
        while True:
            message = self._next()
            if message.get("op") != "node" or message.get("path") != path:
                raise Malformed(Reason.SYNTAX, f"node {path!r} from the launcher")
            if message.get("missing") is True:
                raise Unauthentic(Reason.NODE_MISSING, f"node {path!r}")
            data = message.get("data")
            if not isinstance(data, bytes):
                raise Malformed(Reason.SYNTAX, f"node {path!r} from the launcher")
            parts += data
            if message.get("more") is not True or len(parts) > limit:
                return bytes(parts[: limit + 1])

    def watch(self, stop: threading.Event) -> None:
        """From now on set `stop` when the launcher asks to stop, goes away or sends nonsense."""
        threading.Thread(target=self._watch, args=(stop,), name="control", daemon=True).start()

    def _watch(self, stop: threading.Event) -> None:
        with contextlib.suppress(EnarxError):
            while self._next().get("op") != "stop":
                pass
        stop.set()

    def _next(self) -> dict[str, Any]:
        while not self._pending:
            try:
                received = self._stream.recv(65536)
            except OSError:
                received = b""
            if not received:
                raise Undetermined(Reason.UNREACHABLE, "the launcher is gone")
            self._pending += self._deframer.feed(received)
        return self._pending.pop(0)
