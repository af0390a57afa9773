# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 over a connected stream, with the exporter that ties evidence to this connection.

The standard library's `ssl` has no exporter; pyOpenSSL has. The connection works on memory
buffers and the stream's own time-outs, so a slow or silent peer ends in an error, not in a wait.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable
from typing import Protocol

from OpenSSL import SSL

from enarx.codec import x509
from enarx.errors import Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence.binding import EXPORTER_LABEL

_CHUNK = 16384


class Stream(Protocol):
    """What is needed of a socket. `recv` raises `TimeoutError` when its time is over."""

    def recv(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`."""


class TimedSocket(Stream, Protocol):
    """A socket: a stream whose patience can be set."""

    def settimeout(self, value: float | None, /) -> None:
        """Seconds for the next operation."""


class Deadline:
    """A socket with one time-out for everything: a peer that drips bytes gains nothing by it."""

    def __init__(self, stream: TimedSocket, seconds: float) -> None:
        self._stream = stream
        self._end = time.monotonic() + seconds

    def recv(self, size: int, /) -> bytes:
        """Up to `size` bytes; `TimeoutError` once the time is over."""
        self._wait()
        return self._stream.recv(size)

    def sendall(self, data: bytes, /) -> None:
        """Send all of `data`; `TimeoutError` once the time is over."""
        self._wait()
        self._stream.sendall(data)

    def allow(self, seconds: float) -> None:
        """So much time from now on."""
        self._end = time.monotonic() + seconds

    def _wait(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._stream.settimeout(left)


class Tls:
    """One TLS connection over `stream`. Every failure is an error of our family."""

    def __init__(self, context: SSL.Context, stream: Stream, peer: str, *, server: bool) -> None:
        self._stream = stream
        self._peer = peer
        self._connection = SSL.Connection(context, None)
        if server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()

    def name_server(self, name: str) -> None:
        """Send this server name (RFC 6066 section 3); before the handshake."""
        self._connection.set_tlsext_host_name(name.encode("idna"))

    def handshake(self) -> None:
        """Complete the handshake."""
        self._pump(self._connection.do_handshake)
        self._flush()

    def alpn(self) -> bytes:
        """The protocol that was agreed on, or b""."""
        return self._connection.get_alpn_proto_negotiated()

    def exporter(self, nonce: bytes) -> bytes:
        """32 bytes that only the two ends of this connection know (RFC 8446 section 7.5)."""
        return self._connection.export_keying_material(EXPORTER_LABEL, 32, nonce)

    def peer_chain(self) -> tuple[x509.Certificate, ...]:
        """The peer's certificates as it sent them, its own first."""
        found = self._connection.get_peer_cert_chain() or []
        return tuple(x509.of(one.to_cryptography()) for one in found)

    def send(self, message: bytes) -> None:
        """One message: its length in 4 bytes, and itself."""
        data = len(message).to_bytes(4, "big") + message
        for start in range(0, len(data), _CHUNK):
            self._connection.send(data[start : start + _CHUNK])
            self._flush()

    def receive(self, limit: int) -> bytes:
        """The peer's next message, of at most `limit` bytes."""
        return self._body(self._exactly(4), limit)

    def allow(self, seconds: float) -> None:
        """Time for what comes next, on a stream that counts it."""
        if isinstance(self._stream, Deadline):
            self._stream.allow(seconds)

    def next(self, limit: int) -> bytes | None:
        """As `receive`; None when the peer hangs up between two messages."""
        try:
            head = self._exactly(4)
        except (Undetermined, Unauthentic) as error:
            if error.reason is Reason.TIMED_OUT:
                raise
            return None
        return self._body(head, limit)

    def _body(self, head: bytes, limit: int) -> bytes:
        size = int.from_bytes(head, "big")
        if size > limit:
            raise Malformed(Reason.TOO_LARGE, f"{self._peer}: message of {size} bytes, at most {limit}")
        return self._exactly(size)

    def close(self) -> None:
        """Say that nothing follows (close_notify); the stream itself stays with its owner."""
        try:
            self._connection.shutdown()
            self._flush()
        except (SSL.Error, OSError):
            pass  # the peer has gone already, and nothing was left to say

    def _exactly(self, size: int) -> bytes:
        received = bytearray()
        while (missing := size - len(received)) > 0:
            received += self._pump(functools.partial(self._connection.recv, min(missing, _CHUNK)))
        return bytes(received)

    def _pump(self, act: Callable[[], object]) -> bytes:
        while True:
            try:
                done = act()
            except SSL.WantReadError:
                self._flush()
                self._fill()
            except SSL.ZeroReturnError:
                raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._peer} closed the connection") from None
            except SSL.Error as error:
                said = error.args[0][0][2] if error.args and error.args[0] else "the connection broke"
                self._flush_last_words()
                raise Unauthentic(Reason.CHAIN_BROKEN, f"TLS with {self._peer}: {said}") from None
            else:
                return done if isinstance(done, bytes) else b""

    def _fill(self) -> None:
        try:
            received = self._stream.recv(_CHUNK)
        except TimeoutError:
            raise Undetermined(Reason.TIMED_OUT, f"{self._peer} does not answer") from None
        except OSError as error:
            raise Undetermined(Reason.UNREACHABLE, f"{self._peer}: {error.strerror or error}") from None
        if not received:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._peer} closed the connection")
        self._connection.bio_write(received)

    def _flush(self) -> None:
        while True:
            try:
                self._stream.sendall(self._connection.bio_read(65536))
            except SSL.WantReadError:
                return
            except TimeoutError:
                raise Undetermined(Reason.TIMED_OUT, f"{self._peer} does not read") from None
            except OSError as error:
                raise Undetermined(Reason.UNREACHABLE, f"{self._peer}: {error.strerror or error}") from None

    def _flush_last_words(self) -> None:
        # when the alert cannot be sent, the error that caused it is what counts
        with contextlib.suppress(Undetermined):
            self._flush()
