# SPDX-License-Identifier: Apache-2.0
"""The network of a Keep that is a virtual machine: connections through the launcher, no network device.

Outgoing: whoever connects to `ADDRESS` and says `CONNECT HOST:PORT` (as to an HTTP proxy, RFC 9110
section 9.3.6) gets a connection that the launcher makes; `enarx.platform.vm.outward` does so for every
socket of the agent. Incoming: the launcher's streams reach what listens on 127.0.0.1. TLS ends in the
agent, so the launcher sees ciphertext.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading

from enarx.errors import Malformed, Reason
from enarx.platform.vm.outward import ADDRESS
from enarx.platform.vm.relay import Relay

ASKED = ("stdin", "stdout", "stderr", "sealed")
"""Streams that are asked for at once; the launcher refuses those that the launch does not give."""
MAX_REQUEST = 1024
_REQUEST = re.compile(rb"CONNECT ([\x21-\x7e]{1,261}:[0-9]{1,5}) HTTP/1\.1\r\n(?:[^\r\n]*\r\n)*\r\n")
_PATIENCE = 30.0


class Inside:
    """The Keep's end of the streams. `start` after the agent was forked: threads do not survive a fork."""

    def __init__(self, link: int, *, device: str) -> None:
        """`device` is the kind of chip that the launcher plays, or "" for none."""
        self._link = link
        self._device = device
        self._listener = socket.create_server(ADDRESS, backlog=64)
        self._relay: Relay | None = None
        self._pairs = {name: socket.socketpair() for name in (*ASKED, *(["device"] if device else []))}

    def arguments(self) -> list[str]:
        """What the agent is told on its command line. Called in the agent's process."""
        words: list[str] = []
        for name, (ours, theirs) in self._pairs.items():
            ours.close()
            theirs.set_inheritable(True)
            number = theirs.detach()
            words += [f"--{name}", f"{self._device}:{number}" if name == "device" else str(number)]
        return words

    def start(self) -> None:
        """Carry connections from now on."""
        self._relay = Relay(self._link, keep_side=True, connect=arrive)
        for name, (ours, theirs) in self._pairs.items():
            theirs.close()
            self._relay.carry(name, ours)
        threading.Thread(target=self._relay.run, name="streams", daemon=True).start()
        threading.Thread(target=self._accept, name="network", daemon=True).start()

    def drain(self) -> None:
        """Let what the agent wrote last leave the machine."""
        if self._relay is not None:
            self._relay.drained(2.0)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._leave, args=(client,), name="outgoing", daemon=True).start()

    def _leave(self, client: socket.socket) -> None:
        try:
            client.settimeout(_PATIENCE)
            target = asked(client)
        except (Malformed, OSError):
            with contextlib.suppress(OSError):
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()
            return
        if self._relay is not None:
            self._relay.carry(f"tcp {target}", client, lambda reached: _answer(client, reached=reached))


def _answer(client: socket.socket, *, reached: bool) -> None:
    said = b"HTTP/1.1 200 Connected\r\n\r\n" if reached else b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
    with contextlib.suppress(OSError):
        client.send(said)


def asked(client: socket.socket) -> str:
    """The target that a client names; it may say nothing more before it is answered."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = client.recv(MAX_REQUEST - len(head))
        head += more
        if not more:
            raise Malformed(Reason.TRUNCATED, "request for a connection")
    found = _REQUEST.fullmatch(head)
    if found is None:
        raise Malformed(Reason.SYNTAX, "request for a connection")
    return found[1].decode("ascii")


def arrive(label: str) -> socket.socket:
    """A connection to what listens inside, for a stream of the launcher: "port N"."""
    word, _, number = label.partition(" ")
    if word != "port" or not number.isdigit():
        raise Malformed(Reason.UNKNOWN_VALUE, f"stream {label!r}")
    return socket.create_connection(("127.0.0.1", int(number)), timeout=_PATIENCE)
