# SPDX-License-Identifier: Apache-2.0
"""Opening a Drawbridge: its database, its store, and who vouches for callers."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Protocol

import httpx
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from enarx.codec.x509 import Certificate
from enarx.errors import Misused, Reason, Unauthentic, Undetermined
from enarx.registry import database
from enarx.registry.access import Bearer, Caller
from enarx.registry.catalog import Catalog
from enarx.registry.desk import Desk
from enarx.registry.settings import Settings
from enarx.registry.store import Blobs
from enarx.registry.token import Provider, StaticTokens

PROVIDER_SECONDS = 5.0


class Request(Protocol):
    """What has to be known of a request."""

    @property
    def headers(self) -> Any:
        """By lower-case name."""

    @property
    def scope(self) -> Any:
        """ASGI's."""


class Authority:
    """Who a request is from."""

    __slots__ = ("_provider", "_static")

    def __init__(self, static: StaticTokens, provider: Provider | None) -> None:
        self._static = static
        self._provider = provider

    def bearer(self, request: Request) -> Bearer:
        """The bearer of the request's token. `Unauthentic` without a good one. May ask the provider."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthentic(Reason.UNAUTHENTICATED, "Bearer token header missing")
        found = self._static.bearer(token.strip())
        if found is not None:
            return found
        if self._provider is None:
            raise Unauthentic(Reason.UNAUTHENTICATED, "Invalid token provided")
        return self._provider.bearer(token.strip())

    def caller(self, request: Request) -> Caller:
        """What token and certificate prove together."""
        raw = request.scope.get("extensions", {}).get("tls", {}).get("client_cert_der")
        certificate = Certificate(raw, "client certificate") if raw else None
        bearer = self.bearer(request) if request.headers.get("authorization") else None
        return Caller(bearer, certificate)


def opened(settings: Settings) -> tuple[Desk, Authority, Callable[[], None]]:
    """The desk, the authority, and a call that raises `Undetermined` while the database is away."""
    blobs = Blobs(settings.store)
    engine = database.connect(settings.database or database.sqlite(settings.store / "catalog.sqlite"))
    desk = Desk(
        Catalog(engine), blobs, quota=settings.quota, node=settings.node, any_certificate=settings.any_certificate
    )

    def answers() -> None:
        try:
            with database.reading(engine) as on:
                on.execute(text("SELECT 1"))
        except SQLAlchemyError:
            raise Undetermined(Reason.UNREACHABLE, "database") from None

    return desk, Authority(StaticTokens(settings.static_tokens), _provider(settings)), answers


def _provider(settings: Settings) -> Provider | None:
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.oidc_ca)
    except (OSError, ValueError) as error:
        raise Misused(Reason.FILE_UNREADABLE, f"--oidc-ca {settings.oidc_ca}: {error}") from None
    client = httpx.Client(verify=context, timeout=PROVIDER_SECONDS, trust_env=False)
    return Provider(settings.oidc_issuer, settings.oidc_audience, client)
