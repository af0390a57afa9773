# SPDX-License-Identifier: Apache-2.0
"""One worker of a service: Uvicorn on a socket that is already bound."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any
from typing import Protocol as Shape

import uvicorn

from enarx.errors import EnarxError
from enarx.web.guard import Application
from enarx.web.limits import Limits
from enarx.web.log import Libraries, logger
from enarx.web.protocol import limited
from enarx.web.tls import Tls

WATCH_SECONDS = 1.0
"""How often the TLS files are looked at."""
GOODBYE = 1.0
"""Seconds that a client has for its half of a TLS shutdown."""


class Listening(Shape):
    """What a worker has to know of `enarx.web.serve.Settings`."""

    @property
    def limits(self) -> Limits:
        """Bounds."""

    @property
    def drain(self) -> float:
        """Seconds."""


def run(
    application: Application,
    name: str,
    listener: socket.socket,
    tls: Tls | None,
    settings: Listening,
    *,
    ready: Callable[[], object],
    parent: int | None = None,
) -> int:
    """Serve until a signal. `parent`: a pipe that ends when the parent process does."""
    config = uvicorn.Config(
        application,
        http=limited(settings.limits),
        ws="none",
        lifespan="on",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=int(settings.limits.idle),
        timeout_graceful_shutdown=max(1, int(settings.drain)),
        h11_max_incomplete_event_size=None,
    )
    Libraries.take_over(name)
    worker = _Server(config, name, tls, settings, ready=ready, parent=parent)
    try:
        worker.run([listener])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 70
    return 0


class _Server(uvicorn.Server):
    """Uvicorn's server with a handshake time-out, TLS files that may change, and a quiet end."""

    def __init__(
        self,
        config: uvicorn.Config,
        name: str,
        tls: Tls | None,
        settings: Listening,
        *,
        ready: Callable[[], object],
        parent: int | None,
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._settings = settings
        self._ready = ready
        self._parent = parent
        self._log = logger(name)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen, then say so."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(70)
        loop = asyncio.get_running_loop()
        tls = self._tls
        handshake = self._settings.limits.handshake if tls else None
        farewell = GOODBYE if tls else None
        self.servers = [
            await loop.create_server(
                self._protocol,
                sock=one,
                ssl=tls.context if tls else None,
                backlog=1024,
                ssl_handshake_timeout=handshake,
                ssl_shutdown_timeout=farewell,
            )
            for one in sockets or []
        ]
        if tls is not None:
            loop.add_signal_handler(signal.SIGHUP, self._reload, tls)
            self._watch = loop.create_task(self._watch_files(tls))
        if self._parent is not None:
            loop.add_reader(self._parent, self._orphaned, self._parent)
        self.started = True
        self._ready()

    def _protocol(self) -> asyncio.Protocol:
        factory: Any = self.config.http_protocol_class
        made: asyncio.Protocol = factory(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the serving; they are not raised again afterwards."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _orphaned(self, pipe: int) -> None:
        if not os.read(pipe, 1):
            asyncio.get_running_loop().remove_reader(pipe)
            self.should_exit = True

    async def _watch_files(self, tls: Tls) -> None:
        seen = tls.stamp()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = tls.stamp()
            if now != seen:
                seen = now
                self._reload(tls)

    def _reload(self, tls: Tls) -> None:
        try:
            tls.reload()
        except EnarxError as error:
            self._log.error("tls files not used", reason=error.reason, subject=error.subject)
        else:
            self._log.info("tls files loaded")
