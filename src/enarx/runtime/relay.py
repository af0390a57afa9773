# SPDX-License-Identifier: Apache-2.0
"""One TLS connection of a guest: ciphertext to the peer, plaintext to the guest, no thread.

A state machine over in-memory TLS: the loop says that a socket is ready, `step` moves what can be
moved. Reading everything that has arrived before saying close_notify is what makes half-close right:
`SSL_shutdown` would otherwise take the peer's data for an error.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from enum import Enum

from enarx.errors import Malformed
from enarx.workload import spiffe

PIECE = 1 << 16
HIGH_WATER = 1 << 18
"""Stop reading one side while this much waits for the other."""


class State(Enum):
    """Where a connection stands."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSED = "closed"


class Relay:
    """Moves bytes between a peer that speaks TLS and a guest that does not.

    peer   a connected TCP socket
    plain  the agent's end of the guest's plaintext socket
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        peer: socket.socket,
        plain: socket.socket,
        *,
        server: bool,
        hostname: str | None = None,
    ) -> None:
        self.state = State.HANDSHAKE
        self.peer = peer
        self.plain = plain
        self._sealed_in = ssl.MemoryBIO()
        self._sealed_out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._sealed_in, self._sealed_out, server, hostname)
        self._to_peer = memoryview(b"")
        self._to_guest = memoryview(b"")
        self._peer_done = False
        self._guest_done = False
        self._said_goodbye = False
        self._told_guest = False
        self._guest_gone = False
        plain.setblocking(False)
        if server:
            peer.setblocking(False)

    def runs_one_of(self, workloads: tuple[str, ...]) -> bool:
        """Whether the peer's certificate, which was verified, names one of these packages."""
        certificate = self._tls.getpeercert() or {}
        names = [str(entry[1]) for entry in certificate.get("subjectAltName", ()) if entry[0] == "URI"]
        return any(_package(name) in workloads for name in names)

    def peer_ready(self) -> bool:
        """The peer has sent something: the common case alone. False leaves the rest to `step`."""
        if self.state is not State.OPEN or self._to_guest or self._peer_done:
            return False
        try:
            sealed = self.peer.recv(PIECE)
            if not sealed:
                return False
            self._sealed_in.write(sealed)
            plain = self._tls.read(PIECE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except (ssl.SSLError, OSError):
            return False
        # Nothing read is the peer's close_notify, which `step` meets again.
        done = _sent(self.plain, plain)
        if done < len(plain) or not plain:
            self._to_guest = memoryview(plain)[done:]
            return False
        return not (self._sealed_in.pending or self._tls.pending())

    def guest_ready(self) -> bool:
        """The guest has written something: the common case alone. False leaves the rest to `step`."""
        if self.state is not State.OPEN or self._to_peer or self._guest_done:
            return False
        try:
            plain = self.plain.recv(PIECE)
            if not plain:
                return False
            self._tls.write(plain)
        except BlockingIOError:
            return True
        except (ssl.SSLError, OSError):
            return False
        sealed = self._sealed_out.read()
        done = _sent(self.peer, sealed)
        if done < len(sealed):
            self._to_peer = memoryview(sealed)[done:]
            return False
        return True

    def step(self) -> State:
        """Move what can be moved; what state that leaves."""
        try:
            if self.state is State.HANDSHAKE:
                self._shake()
            if self.state is State.OPEN:
                self._exchange()
        except (ssl.SSLError, OSError):
            self.close()
        return self.state

    def shake_blocking(self) -> None:
        """Finish the handshake now; raises ssl.SSLError or OSError, and TimeoutError when it takes long."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.peer.sendall(self._sealed_out.read())
                sealed = self.peer.recv(PIECE)
                if not sealed:
                    raise ConnectionResetError from None
                self._sealed_in.write(sealed)
            else:
                self.peer.sendall(self._sealed_out.read())
                self.peer.setblocking(False)
                self.state = State.OPEN
                return

    def guest_gone(self) -> None:
        """The guest has closed its end: say what is left to the peer, then end."""
        self._guest_gone = True

    def close(self) -> None:
        """Give up both sides."""
        self.state = State.CLOSED
        self.peer.close()
        self.plain.close()

    def interest(self) -> tuple[bool, bool, bool, bool]:
        """Whether to wait for the peer to be readable, writable, and the guest likewise."""
        return (
            not self._peer_done and len(self._to_guest) < HIGH_WATER,
            bool(self._to_peer),
            self.state is State.OPEN and not self._guest_done and not self._to_peer,
            bool(self._to_guest) and not self._guest_gone,
        )

    def _shake(self) -> None:
        while True:
            progressed = self._from_peer()
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if self._peer_done:
                    self.close()
                if self._peer_done or not progressed:
                    return
            except ssl.SSLError:
                self._flush()
                raise
            else:
                self.state = State.OPEN
                self._flush()
                return

    def _from_peer(self) -> bool:
        """Take one piece of ciphertext; False when there is none now."""
        try:
            sealed = self.peer.recv(PIECE)
        except BlockingIOError:
            return False
        if sealed:
            self._sealed_in.write(sealed)
            return True
        self._peer_done = True
        self._sealed_in.write_eof()
        return False

    def _flush(self) -> None:
        """Send what TLS has ready and what could not be sent before."""
        while True:
            if not self._to_peer:
                if not self._sealed_out.pending:
                    return
                self._to_peer = memoryview(self._sealed_out.read())
            try:
                self._to_peer = self._to_peer[self.peer.send(self._to_peer) :]
            except BlockingIOError:
                return

    def _exchange(self) -> None:
        self._inward()
        self._outward()
        if self._said_goodbye and not self._to_peer and (self._told_guest or self._guest_gone):
            self.close()

    def _inward(self) -> None:
        """From the peer to the guest, until either would wait."""
        while True:
            self._deliver()
            if self._to_guest or self._told_guest:
                return
            try:
                plain = self._tls.read(PIECE)
            except ssl.SSLWantReadError:
                if not (self._from_peer() or self._peer_done):
                    return
                continue
            except ssl.SSLZeroReturnError:
                plain = b""
            except ssl.SSLEOFError:
                # RFC 8446 section 6.1: without close_notify the data may have been cut short.
                self.close()
                raise
            if plain:
                self._to_guest = memoryview(plain)
            else:
                self._tell_guest()

    def _deliver(self) -> None:
        with suppress(BlockingIOError):
            while self._to_guest:
                self._to_guest = self._to_guest[self.plain.send(self._to_guest) :]

    def _tell_guest(self) -> None:
        """The peer has said close_notify: the guest reads end of file."""
        self._told_guest = self._peer_done = True
        with suppress(OSError):
            self.plain.shutdown(socket.SHUT_WR)

    def _outward(self) -> None:
        """From the guest to the peer, until either would wait."""
        self._flush()
        while not self._to_peer and not self._said_goodbye:
            try:
                plain = self.plain.recv(PIECE)
            except BlockingIOError:
                return
            if plain:
                self._tls.write(plain)
            else:
                self._guest_done = self._said_goodbye = True
                with suppress(ssl.SSLWantReadError):
                    self._tls.unwrap()
            self._flush()


def _package(uri: str) -> str:
    """The package digest that a Keep's SPIFFE ID names, or ""."""
    try:
        return spiffe.parse(uri).package.hex()
    except Malformed:
        return ""


def _sent(end: socket.socket, raw: bytes) -> int:
    """How much a non-blocking socket took; an error is left for the next attempt to meet."""
    try:
        return end.send(raw)
    except OSError:
        return 0
