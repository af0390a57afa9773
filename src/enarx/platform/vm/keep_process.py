# SPDX-License-Identifier: Apache-2.0
"""A Keep on the `tcg`, `kvm`, `snp` and `tdx` backends: the agent as the only program of a machine.

The launcher is host software and decides nothing: it starts the machine, hands over the launch
document, carries connections and passes on what the agent reports. It survives whatever the
machine sends: frames are bounded and parsed strictly, and a rule broken ends the Keep by name.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from enarx.errors import EnarxError, Misused, Reason, Undetermined
from enarx.platform.chip import Chip, played
from enarx.platform.control import Deframer, frame, node_messages
from enarx.platform.objects_store import served
from enarx.platform.vm.machine_process import Choice, Machine
from enarx.platform.vm.relay import Relay

ATTEST_PORT = 4433
"""Where the agent listens inside for relying parties."""
STOP_PATIENCE = 5.0
MAX_PORTS = 16
"""Listening ports that a machine may name."""
BOOT_PATIENCE = 120
"""Seconds until the agent's first frame; emulation with firmware takes eight."""
SEND_PATIENCE = 10
"""Seconds that a machine may leave the launcher's frames unread."""


class VmKeep:
    """One machine with its agent. Use as a context manager: leaving it ends the machine."""

    def __init__(
        self,
        launch_document: bytes,
        *,
        image: Path,
        choice: Choice,
        chip: Chip | None = None,
        nodes: Mapping[str, bytes] | None = None,
        stdio: Mapping[str, int] | None = None,
        attest: str = "",
        cas: bytes = b"",
        publish: Mapping[int, str] | None = None,
        sealed: Path | None = None,
        reach: Callable[[str, int], bool] = lambda _host, _port: False,
    ) -> None:
        """Start a machine.

        chip     a simulated chip, played here; the machine's own device is not used then
        nodes    the package's nodes by path, for a launch without a registry
        stdio    "stdin", "stdout", "stderr" -> the host's descriptor, as the launch says
        attest   "HOST:PORT" where relying parties may ask; port 0 chooses a free one, "" for nobody
        cas      certificates of authorities, PEM, that the launch document names by digest
        publish  port inside -> "HOST:PORT" of the host, opened when the agent says that the guest listens;
                 None opens the address that the agent names, as an agent on `process` would by itself
        sealed   folder for what the guest keeps at `/sealed`; the agent seals it
        reach    which hosts and ports the launcher connects the Keep to
        """
        self._chip = chip
        self._nodes = dict(nodes or {})
        self._stdio = dict(stdio or {})
        self._reach = reach
        self._sealed = sealed
        self._as_named = publish is None
        self._bound: dict[int, socket.socket] = {}
        try:
            for port, address in (({ATTEST_PORT: attest} if attest else {}) | dict(publish or {})).items():
                self._bound[port] = _bind(address)
            self.machine = Machine(image, choice)
        except BaseException:
            self._close_listeners()
            raise
        self.addresses = {port: _name(listener) for port, listener in self._bound.items()}
        """Port inside -> the address of the host that leads there once the agent says that it listens."""
        self._relay = Relay(os.dup(self.machine.streams.fileno()), keep_side=False, connect=self._connect)
        self._carrier = threading.Thread(target=self._carry, name="streams", daemon=True)
        self._carrier.start()
        self._sending = threading.Lock()
        self.code: int | None = None
        """The agent's exit code, once process 1 has reported it."""
        inside = f"127.0.0.1:{ATTEST_PORT}"
        self._opening: dict[str, Any] | None = {"op": "open", "launch": launch_document, "attest": inside, "cas": cas}

    @property
    def pid(self) -> int:
        """The process that stands for this Keep on the host."""
        return self.machine.pid

    def events(self) -> Iterator[dict[str, Any]]:
        """What the agent reports, until the machine ends. Requests for nodes are served on the way.

        Raises `KEEP_DIED` when the machine ends without having said why, `Malformed` for a
        machine that breaks the rules of the stream; the machine has been ended then.
        """
        deframer = Deframer()
        _patience(self.machine.control, socket.SO_RCVTIMEO, BOOT_PATIENCE)
        _patience(self.machine.control, socket.SO_SNDTIMEO, SEND_PATIENCE)
        try:
            while self.code is None and (received := self._receive()):
                _patience(self.machine.control, socket.SO_RCVTIMEO, 0)
                for message in deframer.feed(received):
                    if (reported := self._take(message)) is not None:
                        yield reported
        except EnarxError:
            self.machine.stop()
            raise
        if self._relay.error is not None:
            raise self._relay.error
        if self.code is None:
            with contextlib.suppress(Undetermined):
                self.machine.wait(STOP_PATIENCE)
            raise Undetermined(Reason.KEEP_DIED, self.machine.obituary())
        self._let_output_out()

    def _let_output_out(self) -> None:
        """Process 1 has said its last word and powers off; what the agent wrote is on its way."""
        with contextlib.suppress(Undetermined):
            self.machine.wait(STOP_PATIENCE)
        self.machine.stop()
        self._carrier.join(STOP_PATIENCE)

    def wait(self) -> int:
        """The agent's exit code; call it after `events` has ended."""
        return 70 if self.code is None else self.code

    def ask_to_stop(self) -> None:
        """Ask the agent to end its guest and itself."""
        with contextlib.suppress(Undetermined):
            self._send({"op": "stop"})

    def stop(self) -> None:
        """End the Keep: asked first, then by force. Safe to call twice."""
        booted = self._opening is None
        if booted and self.machine.poll() is None and self.code is None:
            self.ask_to_stop()
            with contextlib.suppress(Undetermined):
                self.machine.wait(STOP_PATIENCE)
        self.machine.stop()
        self._relay.close()
        self._carrier.join(1.0)
        self._close_listeners()
        self.machine.control.close()
        self.machine.streams.close()

    def __enter__(self) -> VmKeep:  # noqa: PYI034 - `typing.Self` says less here
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _carry(self) -> None:
        self._relay.run()
        if self._relay.error is not None:
            self.machine.stop()

    def _open_port(self, message: dict[str, Any]) -> dict[str, Any]:
        """Accept connections from now on, and name the address by which the host reaches it."""
        number = str(message.get("address", "")).rpartition(":")[2]
        port = int(number) if number.isdigit() else -1
        listener = self._bound.pop(port, None)
        if listener is None and self._as_named and 0 < port <= 65535 and len(self.addresses) < MAX_PORTS:
            listener = _bind(str(message.get("address")))
            self.addresses[port] = _name(listener)
        if listener is None:
            return message
        self._relay.listen(listener, f"port {port}")
        return {**message, "address": self.addresses[port]}

    def _take(self, message: dict[str, Any]) -> dict[str, Any] | None:
        match message.get("event"):
            case "want":
                self._serve_node(str(message.get("path", "")))
                return None
            case "booted":
                # Sent when process 1 listens: before that, firmware reads the port and forgets.
                if self._opening is not None:
                    self._send({"op": "machine", "device": str(self._chip.kind) if self._chip else ""})
                    self._send(self._opening)
                    self.machine.booted()
                self._opening = None
                return None
            case "vm-ended":
                code = message.get("code")
                self.code = code if isinstance(code, int) and 0 <= code <= 255 else 70
                return None
            case "attesting" | "listening":
                return self._open_port(message)
            case _:
                return message

    def _receive(self) -> bytes:
        try:
            return self.machine.control.recv(1 << 16)
        except BlockingIOError:
            raise Undetermined(
                Reason.TIMED_OUT, f"the agent says nothing: {self.machine.last_words()}".rstrip(": ")
            ) from None
        except OSError:
            return b""

    def _send(self, message: dict[str, Any]) -> None:
        try:
            with self._sending:
                self.machine.control.sendall(frame(message))
        except OSError:
            raise Undetermined(Reason.KEEP_DIED, "the Keep's machine is gone") from None

    def _serve_node(self, path: str) -> None:
        for message in node_messages(path, self._nodes.get(path)):
            self._send(message)

    def _connect(self, label: str) -> socket.socket:
        """For a stream that the machine asks for: `stdin`, `stdout`, `stderr`, `device`, `sealed`, `tcp HOST:PORT`."""
        word, _, rest = label.partition(" ")
        if word in self._stdio and not rest:
            return _joined(self._stdio.pop(word), outward=word != "stdin")
        if word == "device" and not rest and self._chip is not None:
            return played(self._chip)
        if word == "sealed" and not rest and self._sealed is not None:
            return served(self._sealed)
        host, _, port = rest.rpartition(":")
        host = host.strip("[]")
        if word != "tcp" or not host or not port.isdigit() or not self._reach(host, int(port)):
            raise Misused(Reason.NOT_GRANTED, f"stream {label[:80]!r}")
        return socket.create_connection((host, int(port)), timeout=30)

    def _close_listeners(self) -> None:
        for listener in self._bound.values():
            listener.close()


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), int(port)))
        # Not listening yet: until the Keep is ready a connection is refused, never accepted and forgotten.
    except OSError as error:
        listener.close()
        raise Misused(Reason.PORT_IN_USE, f"{address}: {error.strerror}") from None
    return listener


def _patience(stream: socket.socket, option: int, seconds: int) -> None:
    # In the kernel, an option of each direction: Python's own timeout would hold for both.
    stream.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))


def _name(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _joined(descriptor: int, *, outward: bool) -> socket.socket:
    """A socket whose bytes come from, or go to, a descriptor of the host, which need not be a socket."""
    mine, theirs = socket.socketpair()

    def pump() -> None:
        with mine, contextlib.suppress(OSError):
            if outward:
                while received := mine.recv(65536):
                    view = memoryview(received)
                    while view:
                        view = view[os.write(descriptor, view) :]
            else:
                while received := os.read(descriptor, 65536):
                    mine.sendall(received)
                mine.shutdown(socket.SHUT_WR)
                mine.recv(1)

    threading.Thread(target=pump, name="standard streams", daemon=True).start()
    return theirs
