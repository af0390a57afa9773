# SPDX-License-Identifier: Apache-2.0
"""Accepts connections, and has every whole request answered, one after the other."""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from enarx.runtime.component.http.client import Client, Handler
from enarx.runtime.component.http.wire import Wire
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor
from enarx.runtime.wasi.errno import WasiError

SWEEP_SECONDS = 1.0


class Door(NamedTuple):
    """A listener; `secure` where TLS has ended in front of it."""

    listener: Descriptor
    secure: bool


class Server:
    """All connections of one process; used by one thread.

    most  connections open at once: further ones wait in the kernel
    """

    def __init__(self, doors: Sequence[Door], handler: Handler, most: int) -> None:
        self._handler = handler
        self._most = most
        self._poll = select.poll()
        self._clients: dict[int, Client] = {}
        self._doors: dict[int, Door] = {}
        self._open = False
        self._swept = time.monotonic()
        for door in doors:
            door.listener.set_flags(rights.NONBLOCK)
            self._doors[door.listener.fileno() or 0] = door
        self._admit()

    def serve(self) -> NoReturn:
        """For as long as the process lives."""
        while True:
            for fd, _ in self._poll.poll(int(SWEEP_SECONDS * 1000) if self._clients else None):
                if fd in self._doors:
                    self._accept(self._doors[fd])
                else:
                    self._advance(fd)
            self._sweep()

    def _admit(self) -> None:
        """Watch the listeners as long as there is room."""
        wanted = len(self._clients) < self._most
        if wanted != self._open:
            self._open = wanted
            for fd in self._doors:
                self._poll.register(fd, select.POLLIN if wanted else 0)

    def _accept(self, door: Door) -> None:
        try:
            connection = door.listener.accept(rights.NONBLOCK)
        except (OSError, WasiError):
            # Another process was faster, or the client has left again.
            return
        fd = connection.fileno() or 0
        client = Client(Wire(connection, fd, secure=door.secure), self._handler)
        self._clients[fd] = client
        self._poll.register(fd, select.POLLIN)
        self._advance(fd)
        self._admit()

    def _advance(self, fd: int) -> None:
        client = self._clients[fd]
        wanted = client.wants_out()
        client.ready()
        if client.over:
            self._end(fd)
        elif client.wants_out() != wanted:
            self._poll.modify(fd, select.POLLIN if wanted else select.POLLOUT)

    def _end(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._clients.pop(fd).wire.close()
        self._admit()

    def _sweep(self) -> None:
        """Give up connections on which nothing has happened for too long."""
        now = time.monotonic()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for fd in [fd for fd, client in self._clients.items() if client.until < now]:
            self._clients[fd].expire()
            self._end(fd)
