# SPDX-License-Identifier: Apache-2.0
"""Carries connections between sockets and one link, at both ends: in the launcher and in the Keep."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable

from enarx.errors import EnarxError
from enarx.platform.vm.end import End
from enarx.platform.vm.link import Link
from enarx.platform.vm.streams import MAX_DATA, WINDOW, Happening, Kind, Streams

Connect = Callable[[str], socket.socket]
"""Label to a connected socket; OSError or EnarxError refuses. Called in a thread of its own."""

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_LINK, _WAKE = "link", "wake"
_GRANT_AT = WINDOW // 4
_HIGH = 1 << 20
"""Bytes waiting for the link above which no socket is read: memory stays bounded."""


class Relay:
    """Runs in one thread, `run()`, until the link ends or `close()` is called from another."""

    def __init__(self, link: int, *, keep_side: bool, connect: Connect) -> None:
        """`link` is a file descriptor, readable and writable, that this relay owns."""
        self._link = Link(link)
        self._streams = Streams(0 if keep_side else 1)
        self._connect = connect
        self._ends: dict[int, End] = {}
        self._link_mask = _READ
        self._orders: deque[Callable[[], None]] = deque()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_out.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._link, _READ, _LINK)
        self._selector.register(self._wake_out, _READ, _WAKE)
        self._closing = False
        self.error: EnarxError | None = None
        """Why the link was given up, when the other side broke its rules."""

    def carry(self, label: str, sock: socket.socket, on_accept: Callable[[bool], None] | None = None) -> None:
        """Ask the other side for a stream to carry this connected socket. Callable from any thread."""
        self._order(lambda: self._begin(label, sock, on_accept))

    def listen(self, listener: socket.socket, label: str) -> None:
        """Carry every connection to this bound socket, from now on."""
        listener.setblocking(False)
        listener.listen(64)
        self._order(lambda: self._watch_listener(listener, label))

    def close(self) -> None:
        """End `run`. Callable from any thread."""
        self._closing = True
        self._order(lambda: None)

    def drained(self, patience: float) -> None:
        """Wait, at most so many seconds, until the link has taken everything."""
        done = threading.Event()

        def look() -> None:
            if self._link.out or any(end.mask & _READ for end in self._ends.values()):
                threading.Timer(0.01, lambda: self._order(look)).start()
            else:
                done.set()

        self._order(look)
        done.wait(patience)

    def run(self) -> None:
        """Carry until the link ends."""
        try:
            while not self._closing and self._turn():
                pass
        except EnarxError as error:
            self.error = error
        finally:
            for key in list(self._selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
            for end in self._ends.values():
                end.sock.close()
            self._wake_in.close()
            self._selector.close()
            self._link.close()

    def _order(self, what: Callable[[], None]) -> None:
        self._orders.append(what)
        with contextlib.suppress(OSError):
            self._wake_in.send(b"\0")

    def _turn(self) -> bool:
        for key, mask in self._selector.select():
            if key.data == _LINK:
                if mask & _READ and not self._read_link():
                    return False
            elif key.data == _WAKE:
                with contextlib.suppress(BlockingIOError):
                    self._wake_out.recv(4096)
            elif callable(key.data):
                key.data()
            else:
                self._serve(key.data, mask)
        while self._orders:
            self._orders.popleft()()
        return self._write_link()

    def _watch_listener(self, listener: socket.socket, label: str) -> None:
        def accept() -> None:
            with contextlib.suppress(OSError):
                self._begin(label, listener.accept()[0], None)

        self._selector.register(listener, _READ, accept)

    def _begin(self, label: str, sock: socket.socket, on_accept: Callable[[bool], None] | None) -> None:
        try:
            stream, frames = self._streams.open(label.encode())
        except EnarxError:
            sock.close()
            return
        self._link.out += frames
        self._adopt(stream, sock, on_accept)

    def _adopt(self, stream: int, sock: socket.socket, on_accept: Callable[[bool], None] | None) -> None:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ends[stream] = End(sock, on_accept)
        self._interest(stream)

    def _read_link(self) -> bool:
        received = self._link.read()
        for happening in self._streams.feed(received or b""):
            self._happened(happening)
        return received is not None

    def _write_link(self) -> bool:
        if not self._link.write():
            return False
        mask = _READ | (_WRITE if self._link.out else 0)
        if mask != self._link_mask:
            held = (self._link_mask ^ mask) & _WRITE
            self._link_mask = mask
            self._selector.modify(self._link, mask, _LINK)
            if held:
                for stream in list(self._ends):
                    self._interest(stream)
        return True

    def _happened(self, what: Happening) -> None:
        if what.kind is Kind.OPEN:
            self._reach(what.stream, what.body.decode("utf-8", "replace"))
            return
        end = self._ends.get(what.stream)
        if end is None:
            return
        match what.kind:
            case Kind.GRANT:
                if end.on_accept is not None:
                    end.on_accept(True)
                    end.on_accept = None
                self._interest(what.stream)
            case Kind.DATA:
                self._pass_on(what.stream, end, what.body)
            case Kind.END:
                end.ending = True
                self._flush(what.stream, end)
            case _:
                self._drop(what.stream)

    def _reach(self, stream: int, label: str) -> None:
        def work() -> None:
            try:
                sock = self._connect(label)
            except (OSError, EnarxError):
                self._order(lambda: self._send(self._streams.reset(stream)))
                return
            self._order(lambda: self._reached(stream, sock))

        threading.Thread(target=work, name="connect", daemon=True).start()

    def _reached(self, stream: int, sock: socket.socket) -> None:
        frames = self._streams.grant(stream, WINDOW)
        if not frames and not self._streams.sendable(stream):
            sock.close()
            return
        self._send(frames)
        self._adopt(stream, sock, None)

    def _send(self, frames: bytes) -> None:
        self._link.out += frames

    def _serve(self, stream: int, mask: int) -> None:
        end = self._ends.get(stream)
        if end is not None and mask & _WRITE:
            self._flush(stream, end)
        if mask & _READ and stream in self._ends:
            self._read(stream, self._ends[stream])

    def _read(self, stream: int, end: End) -> None:
        room = min(MAX_DATA, self._streams.sendable(stream))
        if not room:
            self._interest(stream)
            return
        try:
            body = end.sock.recv(room)
        except BlockingIOError:
            return
        except OSError:
            self._send(self._streams.reset(stream))
            self._drop(stream)
            return
        if body:
            self._send(self._streams.data_head(stream, len(body)))
            self._send(body)
            if len(body) == room or len(self._link.out) > _HIGH:
                self._interest(stream)
            return
        end.read_done = True
        self._send(self._streams.end(stream))
        self._over(stream, end)

    def _flush(self, stream: int, end: End) -> None:
        granted = 0
        while end.out:
            try:
                sent = end.sock.send(end.out[0])
            except BlockingIOError:
                break
            except OSError:
                self._send(self._streams.reset(stream))
                self._drop(stream)
                return
            granted += sent
            if sent == len(end.out[0]):
                end.out.popleft()
            else:
                end.out[0] = end.out[0][sent:]
        end.owed += granted
        if end.owed >= _GRANT_AT:
            # Not for every byte: each grant wakes the other side.
            self._send(self._streams.grant(stream, end.owed))
            end.owed = 0
        if end.ending and not end.out:
            with contextlib.suppress(OSError):
                end.sock.shutdown(socket.SHUT_WR)
        self._over(stream, end)

    def _pass_on(self, stream: int, end: End, body: bytes) -> None:
        """Into the socket at once where it takes them: nearly always, and nothing else has to be looked at."""
        if not end.out and end.owed + len(body) < _GRANT_AT:
            with contextlib.suppress(OSError):
                sent = end.sock.send(body)
                end.owed += sent
                if sent == len(body):
                    return
                body = body[sent:]
        end.out.append(body)
        self._flush(stream, end)

    def _over(self, stream: int, end: End) -> None:
        if end.ending and end.read_done and not end.out:
            self._drop(stream)
        else:
            self._interest(stream)

    def _interest(self, stream: int) -> None:
        end = self._ends.get(stream)
        if end is None:
            return
        wants = not end.read_done and self._streams.sendable(stream) and len(self._link.out) <= _HIGH
        mask = (_READ if wants else 0) | (_WRITE if end.out else 0)
        if mask == end.mask:
            return
        if not end.mask:
            self._selector.register(end.sock, mask, stream)
        elif not mask:
            self._selector.unregister(end.sock)
        else:
            self._selector.modify(end.sock, mask, stream)
        end.mask = mask

    def _drop(self, stream: int) -> None:
        end = self._ends.pop(stream, None)
        if end is None:
            return
        if end.on_accept is not None:
            end.on_accept(False)
        if end.mask:
            self._selector.unregister(end.sock)
        end.sock.close()
