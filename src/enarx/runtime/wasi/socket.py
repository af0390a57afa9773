# SPDX-License-Identifier: Apache-2.0
"""Connections and the two kinds of listener.

TCP listeners are the kernel's, handed over as they are. TLS ends in the agent: a listener with TLS
is a channel on which the agent hands over one plaintext socket for every finished handshake, so a
slow client never holds up the guest, and `poll` on a connection sees decrypted bytes.
"""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

import _socket
import array
import fcntl
import os
import termios
from collections.abc import Callable

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.errno import CONNABORTED, INVAL, WasiError

PEEK, WAITALL = 1, 2
SHUT_READ, SHUT_WRITE = 1, 2
HOW = {
    SHUT_READ: _socket.SHUT_RD,
    SHUT_WRITE: _socket.SHUT_WR,
    SHUT_READ | SHUT_WRITE: _socket.SHUT_RDWR,
}
_COUNT = array.array("i", [0])
"""Room for what the kernel counts: `ioctl` fills a buffer in a third of the time that a new one takes."""
_ONE_DESCRIPTOR = _socket.CMSG_SPACE(array.array("i").itemsize)


class _Socket(Descriptor):
    """What connections and listeners share: blocking or not, ready or not."""

    filetype = rights.SOCKET_STREAM

    def __init__(self, host: int, granted: int, flags: int = 0) -> None:
        super().__init__(granted, flags=flags)
        self._host = host
        os.set_blocking(host, not flags & rights.NONBLOCK)

    def fileno(self) -> int:
        return self._host

    def set_flags(self, flags: int) -> None:
        if flags & ~rights.NONBLOCK:
            raise WasiError(INVAL)
        os.set_blocking(self._host, not flags & rights.NONBLOCK)
        self.flags = flags

    def stat(self) -> Stat:
        return Stat(filetype=self.filetype)

    def close(self) -> None:
        os.close(self._host)


class Connection(_Socket):
    """A byte stream to a peer: TCP itself, or the plaintext of TLS."""

    def __init__(self, host: int, flags: int = 0) -> None:
        super().__init__(host, rights.SOCKET, flags)
        self._socket = _socket.socket(fileno=host)

    def read(self, buffers: list[memoryview]) -> int:
        return os.readv(self._host, buffers)

    def write(self, buffers: list[memoryview]) -> int:
        return os.writev(self._host, buffers)

    def reader(self) -> Callable[[memoryview], int]:
        return self._socket.recv_into

    def writer(self) -> Callable[[memoryview], int]:
        return self._socket.send

    def receive(self, buffers: list[memoryview], flags: int) -> tuple[int, int]:
        if flags & ~(PEEK | WAITALL):
            raise WasiError(INVAL)
        wanted = _socket.MSG_PEEK if flags & PEEK else 0
        wanted |= _socket.MSG_WAITALL if flags & WAITALL else 0
        return self._socket.recvmsg_into(buffers, 0, wanted)[0], 0

    def shutdown(self, how: int) -> None:
        if how not in HOW:
            raise WasiError(INVAL)
        self._socket.shutdown(HOW[how])

    def ready_bytes(self) -> int:
        fcntl.ioctl(self._host, termios.FIONREAD, _COUNT)
        return _COUNT[0]

    def close(self) -> None:
        self._socket.close()


class Listener(_Socket):
    """A listening TCP socket."""

    def __init__(self, host: int) -> None:
        super().__init__(host, rights.LISTENER)
        self._socket = _socket.socket(fileno=host)

    def ready_bytes(self) -> int:
        return 1

    def accept(self, flags: int) -> Descriptor:
        return Connection(self._next(), flags)

    def _next(self) -> int:
        accepted: tuple[int, object] = self._socket._accept()  # type: ignore[attr-defined]  # noqa: SLF001 - `socket` itself calls it
        return accepted[0]

    def close(self) -> None:
        self._socket.close()


class Handover(Listener):
    """A channel on which the agent hands over connections that finished their handshake."""

    def _next(self) -> int:
        data, ancillary, _, _ = self._socket.recvmsg(1, _ONE_DESCRIPTOR, _socket.MSG_CMSG_CLOEXEC)
        if not data or not ancillary:
            raise WasiError(CONNABORTED)
        received = array.array("i")
        received.frombytes(ancillary[0][2])
        return received[0]
