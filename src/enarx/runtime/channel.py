# SPDX-License-Identifier: Apache-2.0
"""One end of the socket between agent and guest: whole messages, with descriptors attached.

Stands on `_socket` because the standard `socket` module takes longer to import than a guest to start.
"""

from __future__ import annotations

import _socket
import array
import select
from collections.abc import Sequence

from enarx.runtime.wire import HEADER, MAX_BYTES, WireError, message, split

MAX_DESCRIPTORS = 200
_INTEGER = array.array("i").itemsize


class Channel:
    """A stream socket that carries messages."""

    def __init__(self, end: _socket.socket) -> None:
        self.end = end

    def fileno(self) -> int:
        """The kernel's descriptor, to wait on."""
        return self.end.fileno()

    def readable(self, seconds: float | None) -> bool:
        """Whether a message begins to arrive within this time; None waits for ever."""
        poll = select.poll()
        poll.register(self.end.fileno(), select.POLLIN)
        return bool(poll.poll(None if seconds is None else -int(-seconds * 1000 // 1)))

    def send(self, kind: int, *fields: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send a message; descriptors travel with its first byte."""
        raw = memoryview(message(kind, *fields))
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", descriptors))]
        sent = self.end.sendmsg([raw], rights if descriptors else [])
        if sent < len(raw):
            self.end.sendall(raw[sent:])

    def receive(self) -> tuple[int, list[bytes], list[int]] | None:
        """The next message and its descriptors; None when the other side has gone."""
        descriptors: list[int] = []
        header = self._take(HEADER.size, descriptors)
        if header is None:
            return None
        kind, size = HEADER.unpack(header)
        if size > MAX_BYTES:
            raise WireError
        body = self._take(size, descriptors)
        return None if body is None else (kind, split(body), descriptors)

    def _take(self, size: int, descriptors: list[int]) -> bytearray | None:
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            room = _socket.CMSG_SPACE(MAX_DESCRIPTORS * _INTEGER)
            try:
                count, ancillary, _, _ = self.end.recvmsg_into([view], room, _socket.MSG_CMSG_CLOEXEC)
            except ConnectionResetError:
                return None
            for level, what, data in ancillary:
                if (level, what) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                    received = array.array("i")
                    received.frombytes(data[: len(data) - len(data) % _INTEGER])
                    descriptors.extend(received)
            if count == 0:
                return None
            view = view[count:]
        return buffer

    def close(self) -> None:
        """Hang up."""
        self.end.close()


def pair() -> tuple[_socket.socket, _socket.socket]:
    """Two connected stream sockets."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)


def wrap(descriptor: int) -> Channel:
    """The channel on an inherited descriptor."""
    return Channel(_socket.socket(fileno=descriptor))
