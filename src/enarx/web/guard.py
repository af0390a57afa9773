# SPDX-License-Identifier: Apache-2.0
"""What stands before every service's application: identifiers, limits, log lines, metrics, health.

Pure ASGI, because it is on the way of every request. Whatever goes wrong behind it leaves as a
problem document; an exception that no one foresaw is a 500 that tells the client nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from enarx.errors import EnarxError, Faulty, Malformed, Misused, Reason, Undetermined
from enarx.web import metrics as metrics_
from enarx.web import problem
from enarx.web.limits import Buckets, Limits
from enarx.web.log import logger, place
from enarx.web.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application; frameworks type the three (scope, receive, send) each in their own way."""
Ready = Callable[[], Awaitable[None]]
"""Returns when the service can do its work; raises `Undetermined` when it cannot."""

REQUEST_ID = b"x-request-id"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


async def always_ready() -> None:
    """For a service that needs nothing but itself."""


class Guard:
    """`application` behind limits, with `/healthz`, `/readyz` and `/metrics` beside it."""

    def __init__(
        self,
        application: Application,
        *,
        service: str,
        limits: Limits,
        metrics: Metrics | None = None,
        ready: Ready = always_ready,
    ) -> None:
        self._application = application
        self._limits = limits
        self._metrics = metrics or Metrics(service)
        self._ready = ready
        self._log = logger(service)
        self._buckets = Buckets(limits.rate, limits.burst)
        self._prefix = secrets.token_hex(6)
        self._count = itertools.count(1)
        self._probes = {"/healthz": self._healthz, "/readyz": self._readyz, "/metrics": self._metrics_text}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection event, as ASGI has them."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        scope["request_id"] = f"{self._prefix}-{next(self._count):x}"
        started = time.perf_counter()
        exchange = _Exchange(scope, receive, send, self._limits.body)
        fault: BaseException | None = None
        try:
            self._admit(scope, exchange, started)
            async with asyncio.timeout(self._limits.seconds):
                await self._answer(scope, exchange)
        except TimeoutError:
            await exchange.refuse(_too_slow(exchange))
        except EnarxError as error:
            await exchange.refuse(error)
        except Exception as error:  # noqa: BLE001 - a client sees a problem document, whatever happened
            fault = error
            await exchange.refuse(Faulty(Reason.INTERNAL))
        self._record(scope, exchange, time.perf_counter() - started, fault)

    def _admit(self, scope: Scope, exchange: _Exchange, now: float) -> None:
        client = scope.get("client")
        wait = self._buckets.wait(client[0] if client else "", now)
        if wait:
            raise Misused(Reason.RATE_LIMITED, "requests of this client", hint=f"try again in {wait:.1f} s")
        if exchange.announced > self._limits.body:
            raise _too_large(self._limits.body)

    async def _answer(self, scope: Scope, exchange: _Exchange) -> None:
        probe = self._probes.get(scope["path"])
        if probe is not None and scope["method"] in {"GET", "HEAD"}:
            scope["path_template"] = scope["path"]
            await probe(exchange)
        else:
            await self._application(scope, exchange.receive, exchange.send)

    async def _healthz(self, exchange: _Exchange) -> None:
        await exchange.answer(200, b"text/plain", b"ok\n")

    async def _readyz(self, exchange: _Exchange) -> None:
        await self._ready()
        await exchange.answer(200, b"text/plain", b"ready\n")

    async def _metrics_text(self, exchange: _Exchange) -> None:
        await exchange.answer(200, metrics_.MEDIA_TYPE.encode(), self._metrics.text())

    def _record(self, scope: Scope, exchange: _Exchange, seconds: float, fault: BaseException | None) -> None:
        route = scope.get("path_template") or "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.answered(method, route, exchange.status, seconds)
        client = scope.get("client")
        line = {
            "request": scope["request_id"],
            "client": client[0] if client else "",
            "method": method,
            "route": route,
            "status": exchange.status,
            "milliseconds": round(seconds * 1000, 2),
            **scope.get("said", {}),
        }
        if fault is not None:
            self._log.error("fault", error=type(fault).__name__, where=place(fault), **line)
        else:
            self._log.info("request", **line)


class _Exchange:
    """One request and its answer: how much of the body came, and whether the answer has begun."""

    __slots__ = ("_limit", "_receive", "_scope", "_send", "announced", "complete", "received", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._limit = limit
        self.announced, self.complete = _announced(scope["headers"])
        self.received = 0
        self.status = 0

    async def receive(self) -> Message:
        """The next part of the body, counted."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
            if self.received > self._limit:
                raise _too_large(self._limit)
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer; its beginning gets the request's identifier."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            identifier = (REQUEST_ID, self._scope["request_id"].encode())
            message["headers"] = [*message.get("headers", ()), identifier]
        await self._send(message)

    async def answer(self, status: int, media_type: bytes, body: bytes, *more: tuple[bytes, bytes]) -> None:
        """A whole answer."""
        headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode()), *more]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, error: EnarxError) -> None:
        """A problem document, unless an answer has begun; then the connection breaks off."""
        if self.status:
            raise error
        said = problem.of(error, request=self._scope["request_id"])
        status = 408 if error.reason is Reason.TIMED_OUT and not self.complete else said.status
        more: tuple[tuple[bytes, bytes], ...] = ()
        if not self.complete:  # what is left of the body is not worth reading
            more = ((b"connection", b"close"),)
        await self.answer(status, problem.MEDIA_TYPE.encode(), said.encoded(), *more)


def _announced(headers: list[tuple[bytes, bytes]]) -> tuple[int, bool]:
    """How long the body says it is, and whether there is none."""
    for name, value in headers:
        if name == b"content-length":
            return int(value), int(value) == 0
        if name == b"transfer-encoding":
            return 0, False
    return 0, True


def _too_large(limit: int) -> Malformed:
    return Malformed(Reason.TOO_LARGE, f"request body, at most {limit} bytes")


def _too_slow(exchange: _Exchange) -> Undetermined:
    return Undetermined(Reason.TIMED_OUT, "the answer" if exchange.complete else "request body")
