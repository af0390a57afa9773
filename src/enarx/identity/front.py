# SPDX-License-Identifier: Apache-2.0
"""Several tenants behind one listener: each has an application of its own, chosen by the host that a client names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from litestar import Litestar

from enarx.errors import Misused, Reason

Hook = Callable[[], Awaitable[None]]


class Front:
    """ASGI. Nothing of one tenant's application can be reached under another's name."""

    def __init__(
        self,
        by_host: Mapping[str, Litestar],
        only: Litestar | None,
        *,
        on_startup: Sequence[Hook],
        on_shutdown: Sequence[Hook],
    ) -> None:
        """`only`: the application for every name, where there is one tenant."""
        self._by_host = {host.lower(): application for host, application in by_host.items()}
        self._only = only
        self._starting = on_startup
        self._ending = on_shutdown

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One connection event."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        application = self._only or self._by_host.get(named(scope["headers"]))
        if application is None:
            raise Misused(Reason.NOT_FOUND, "no tenant has this host name", hint="the name in the tenant's own URL")
        await application(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        async with AsyncExitStack() as stack:
            await receive()
            for end in self._ending:
                stack.push_async_callback(end)
            for start in self._starting:
                await start()
            for application in dict.fromkeys([*self._by_host.values(), *filter(None, (self._only,))]):
                await stack.enter_async_context(application.lifespan())
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def named(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The host that a request names (RFC 9110 section 7.2), lower case and without its port."""
    host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1").strip().lower()
    if host.startswith("["):
        return host.partition("]")[0].removeprefix("[")
    return host.partition(":")[0]
