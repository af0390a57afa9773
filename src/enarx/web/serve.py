# SPDX-License-Identifier: Apache-2.0
"""The door of every service: bind, say where, serve, and end gracefully.

`serve(application, settings)` prints `NAME: listening on URL` on standard output when requests
are answered, and returns after SIGTERM or SIGINT when those under way have had their answers.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from types import FrameType

import msgspec

from enarx.errors import Misused, Reason
from enarx.web import metrics, server
from enarx.web.guard import Application
from enarx.web.limits import Limits
from enarx.web.log import logger
from enarx.web.tls import Tls, TlsFiles

BACKLOG = 1024


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a service listens.

    name     in the line that says where it listens, and in its logs
    host     address or name; "::" is IPv6 and IPv4
    port     0: one that is free
    tls      or None: plain HTTP
    tls_by_name  other files for clients that name these servers (SNI)
    workers  processes, each with an application of its own
    drain    seconds that requests under way have after SIGTERM
    """

    name: str
    host: str = "127.0.0.1"
    port: int = 0
    tls: TlsFiles | None = None
    tls_by_name: Mapping[str, TlsFiles] = {}
    limits: Limits = Limits()
    workers: int = 1
    drain: float = 10.0


def serve(application: Callable[[], Application], settings: Settings, listener: socket.socket | None = None) -> int:
    """Serve what `application()` returns, called once in each worker. Returns the exit code.

    `listener`: of `bound`, for a service that has to know its own address beforehand.

    Raises `Misused` when the port is in use or the TLS files are of no use.
    """
    tls = Tls(settings.tls, settings.tls_by_name) if settings.tls is not None else None
    listener = listener or bound(settings.host, settings.port)
    said = f"{settings.name}: listening on {url(listener, tls=settings.tls is not None)}"
    if settings.workers == 1:
        return server.run(application(), settings.name, listener, tls, settings, ready=lambda: _say(said))
    return _Workers(application, settings, listener, tls).run(said)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; `Misused` for a port in use or a host that is not ours."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        dual = family is socket.AF_INET6 and host == "::"
        return socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    except socket.gaierror:
        raise Misused(Reason.NAME_NOT_RESOLVED, host) from None
    except (OSError, OverflowError) as error:
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = Reason.PORT_IN_USE if taken else Reason.USAGE
        hint = "--port 0 takes one that is free" if taken else ""
        said = (error.strerror if isinstance(error, OSError) else None) or error
        raise Misused(reason, f"{host} port {port}: {said}", hint=hint) from None


def url(listener: socket.socket, *, tls: bool) -> str:
    """Where a client on this machine finds the service."""
    host, port = listener.getsockname()[:2]
    host = {"::": "localhost", "0.0.0.0": "localhost"}.get(host, host)  # noqa: S104
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _keep_shared() -> None:
    """What is loaded by now stays one copy for all workers: a collection in one of them would write to all of it."""
    gc.collect()
    gc.freeze()


class _Workers:
    """Processes that share one listening socket; one that dies is started again."""

    def __init__(
        self,
        application: Callable[[], Application],
        settings: Settings,
        listener: socket.socket,
        tls: Tls | None,
    ) -> None:
        self._application = application
        self._settings = settings
        self._listener = listener
        self._tls = tls
        self._alive: set[int] = set()
        self._stopping = False
        self._said_ready, self._say_ready = os.pipe()
        self._parent_lives, self._parent_end = os.pipe()

    def run(self, said: str) -> int:
        shared = metrics.share()
        _keep_shared()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        for _ in range(self._settings.workers):
            self._start()
        ready = 0
        while ready < self._settings.workers and not self._stopping:
            ready += len(os.read(self._said_ready, 64))
        if not self._stopping:
            _say(said)
        failed = self._watch()
        shared.cleanup()
        return 70 if failed else 0

    def _start(self) -> None:
        child = os.fork()
        if child:
            self._alive.add(child)
            return
        status = 70
        try:
            os.close(self._parent_end)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            status = server.run(
                self._application(),
                self._settings.name,
                self._listener,
                self._tls,
                self._settings,
                ready=lambda: os.write(self._say_ready, b"."),
                parent=self._parent_lives,
            )
        finally:
            os._exit(status)

    def _watch(self) -> bool:
        """Until all have ended. Returns whether one ended badly while nobody asked it to."""
        deaths = 0
        while self._alive:
            child, status = os.wait()
            self._alive.discard(child)
            if self._stopping:
                continue
            deaths += 1
            logger(self._settings.name).error("worker ended", worker=child, status=status)
            if deaths > 5 * self._settings.workers:
                self._pass_on(signal.SIGTERM, None)
                return True
            self._start()
        return False

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        self._stopping = self._stopping or number != signal.SIGHUP
        for child in self._alive:
            os.kill(child, number)
