# SPDX-License-Identifier: Apache-2.0
"""The door to vendors' servers: bounded in bytes, in time and in patience, and trusting nothing.

What comes back is bytes; whoever asked verifies them before they are kept or used.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self

import httpx
import msgspec

from enarx.endorser.request import Answer, Request, is_safe
from enarx.errors import Reason, Undetermined

RETRIED = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses of RFC 9110 and RFC 6585 after which asking again may help."""
REDIRECTS = frozenset((301, 302, 303, 307, 308))
MAX_REDIRECTS = 3


class Patience(msgspec.Struct, frozen=True):
    """How long to wait, in seconds, and how often to ask.

    total    for one document, all attempts and pauses together
    attempts at most
    pause    before the second attempt; doubles each time
    """

    connect: float = 5.0
    read: float = 10.0
    total: float = 30.0
    attempts: int = 4
    pause: float = 0.5


class _Again(Exception):
    """Asking again may help, after a pause that the server may have named."""

    def __init__(self, trouble: Undetermined, after: float | None = None) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble
        self.after = after


class Client:
    """Asks vendors' servers. Every failure is `Undetermined`: we could not find out."""

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._sleep = sleep
        self._clock = clock
        timeout = httpx.Timeout(self._patience.read, connect=self._patience.connect)
        self._http = httpx.Client(
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            transport=transport,
            headers={"user-agent": "enarx"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Request) -> Answer:
        """The answer to a request: status 200, an accepted media type, at most `limit` bytes."""
        deadline = self._clock() + self._patience.total
        pause = self._patience.pause
        for attempt in range(1, self._patience.attempts + 1):
            try:
                return self._within(request, deadline)
            except _Again as again:
                wait = pause if again.after is None else max(again.after, 0.0)
                if attempt == self._patience.attempts or self._clock() + wait >= deadline:
                    raise again.trouble from None
                self._sleep(wait)
                pause *= 2
        raise Undetermined(Reason.UNREACHABLE, request.what)

    def _within(self, request: Request, deadline: float) -> Answer:
        """One attempt in a thread of its own, given up at the deadline.

        The library bounds each read; a server that sends its headers one byte at a time would
        keep within that for ever.
        """
        answers: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def attempt() -> None:
            try:
                answers.put(self._attempt(request, deadline))
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                answers.put(error)

        threading.Thread(target=attempt, name="endorser", daemon=True).start()
        try:
            found = answers.get(timeout=max(deadline - self._clock(), 0.001))
        except queue.Empty:
            raise Undetermined(Reason.TIMED_OUT, request.what) from None
        if isinstance(found, Exception):
            raise found
        return found

    def _attempt(self, request: Request, deadline: float) -> Answer:
        """One attempt, with its redirects."""
        url = request.url
        try:
            for _ in range(MAX_REDIRECTS + 1):
                found = self._exchange(request, url, deadline)
                if isinstance(found, Answer):
                    return found
                url = found
        except httpx.TimeoutException:
            raise _Again(Undetermined(Reason.TIMED_OUT, request.what)) from None
        except httpx.ConnectError as error:
            raise _Again(_unreachable(request, error)) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Again(Undetermined(Reason.UNEXPECTED_ANSWER, f"{request.what}: {error}")) from None
        except (httpx.InvalidURL, httpx.HTTPError, ValueError) as error:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{request.what}: {error}") from None
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{request.what}: more than {MAX_REDIRECTS} redirects")

    def _exchange(self, request: Request, url: str, deadline: float) -> Answer | str:
        """The answer, or the URL to go on to."""
        headers = {"accept": ", ".join(sorted(request.accept)) or "*/*", "accept-encoding": "identity"}
        headers |= dict(request.headers)
        with self._http.stream(request.method, url, headers=headers, content=request.body) as response:
            if response.status_code in REDIRECTS:
                return _redirected(request, url, response.headers.get("location", ""))
            _require_ok(request, response)
            _require_type(request, response)
            body = self._bounded(request, response, deadline)
            return Answer(body, {name.lower(): value for name, value in response.headers.items()})

    def _bounded(self, request: Request, response: httpx.Response, deadline: float) -> bytes:
        """The body. What Content-Length says about it is not looked at; what arrives is counted."""
        parts: list[bytes] = []
        size = 0
        for part in response.iter_raw():
            size += len(part)
            if size > request.limit:
                raise Undetermined(Reason.TOO_LARGE, f"{request.what}: more than {request.limit} bytes")
            if self._clock() > deadline:
                raise Undetermined(Reason.TIMED_OUT, f"{request.what}: after {size} bytes")
            parts.append(part)
        return b"".join(parts)


def _redirected(request: Request, url: str, location: str) -> str:
    """The same host may send us on, over the same scheme; another host may not."""
    came, to = httpx.URL(url), httpx.URL(url).join(location or url)
    if (to.scheme, to.host, to.port) != (came.scheme, came.host, came.port) or not is_safe(str(to)):
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{request.what}: redirected to {to.host or 'nowhere'}")
    return str(to)


def _require_ok(request: Request, response: httpx.Response) -> None:
    status = response.status_code
    if status == 200:
        return
    if status == 404:
        raise Undetermined(Reason.NOT_FOUND, request.what)
    reason = Reason.RATE_LIMITED if status == 429 else Reason.UNEXPECTED_ANSWER
    trouble = Undetermined(reason, f"{request.what}: status {status}")
    if status in RETRIED:
        raise _Again(trouble, retry_after(response.headers.get("retry-after"), datetime.now(UTC)))  # noqa: TID251 - a door
    raise trouble


def retry_after(said: str | None, now: datetime) -> float | None:
    """Seconds to wait, RFC 9110 section 10.2.3: a number of seconds, or a date. None: nothing usable."""
    if said is None:
        return None
    if said.strip().isdecimal():
        return float(said.strip()[:9])
    try:
        return (parsedate_to_datetime(said) - now).total_seconds()
    except (ValueError, TypeError):
        return None


def _require_type(request: Request, response: httpx.Response) -> None:
    """An accepted media type, and no coding: a compressed body could unfold to any size."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{request.what}: content-encoding {coding[:40]}")
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.accept and media not in request.accept:
        raise Undetermined(Reason.MEDIA_TYPE, f"{request.what}: {media[:80] or 'none'}")


def _unreachable(request: Request, error: httpx.ConnectError) -> Undetermined:
    unresolved = "getaddrinfo" in str(error) or "Name or service not known" in str(error)
    return Undetermined(Reason.NAME_NOT_RESOLVED if unresolved else Reason.UNREACHABLE, f"{request.what}: {error}")
