# SPDX-License-Identifier: Apache-2.0
"""Getting a token from an OpenID Connect provider: device flow (RFC 8628) or client credentials.

Where the provider publishes no discovery document, upstream's fixed paths are taken.
"""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Callable
from typing import Any

import msgspec

from enarx.codec import json
from enarx.errors import EnarxError, Malformed, Reason, Unacceptable, Undetermined
from enarx.registry.connection import Connection, require_secure

SCOPES = "openid profile manage:drawbridge_repositories manage:drawbridge_tags manage:drawbridge_users"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
MAX_ANSWER = 1 << 20
POLL_SECONDS = 3.0
"""Upstream's; RFC 8628 section 3.5 says 5 when the provider says nothing."""
MAX_POLLS = 1200


class Endpoints(msgspec.Struct, frozen=True):
    """Where a provider is asked what."""

    token: str
    device: str
    userinfo: str


class Pending(msgspec.Struct, frozen=True):
    """A device login that a person has to confirm."""

    code: str
    user_code: str
    uri: str
    complete: str
    interval: float
    seconds: float


class Provider:
    """An OpenID Connect provider, as one that wants its tokens sees it."""

    def __init__(self, domain: str, context: ssl.SSLContext) -> None:
        require_secure(domain, "--oidc-domain")
        self._domain = domain if domain.endswith("/") else f"{domain}/"
        self._connection = Connection(context)
        self._at = self._discover()

    def _discover(self) -> Endpoints:
        fixed = Endpoints(f"{self._domain}oauth/token", f"{self._domain}oauth/device/code", f"{self._domain}userinfo")
        try:
            about = self._json("GET", f"{self._domain}.well-known/openid-configuration")
        except Unacceptable:
            return fixed
        return Endpoints(
            _url(about, "token_endpoint", fixed.token),
            _url(about, "device_authorization_endpoint", fixed.device),
            _url(about, "userinfo_endpoint", fixed.userinfo),
        )

    def begin(self, client_id: str, audience: str) -> Pending:
        """Ask for a device login."""
        form = {"client_id": client_id, "scope": SCOPES, "audience": audience}
        said = self._json("POST", self._at.device, data=form)
        interval = said.get("interval", POLL_SECONDS)
        seconds = said.get("expires_in", 600)
        if not isinstance(interval, int | float) or not isinstance(seconds, int | float):
            raise _strange("interval")
        return Pending(
            _text(said, "device_code"),
            _text(said, "user_code"),
            _text(said, "verification_uri"),
            str(said.get("verification_uri_complete", "")),
            max(0.0, float(interval)),
            float(seconds),
        )

    def finish(self, client_id: str, pending: Pending, sleep: Callable[[float], None] = time.sleep) -> str:
        """Wait until the person has confirmed; the access token."""
        form = {"client_id": client_id, "device_code": pending.code, "grant_type": DEVICE_GRANT}
        interval, waited = pending.interval, 0.0
        for _ in range(MAX_POLLS):
            if waited > pending.seconds:
                break
            said = self._json("POST", self._at.token, data=form, refusals=True)
            match said.get("error"):
                case None:
                    return _text(said, "access_token")
                case "authorization_pending":
                    pass
                case "slow_down":  # RFC 8628 section 3.5: five seconds more
                    interval += 5
                case "expired_token":
                    break
                case other:
                    raise Unacceptable(Reason.UNAUTHENTICATED, f"login: {str(other)[:80]}")
            sleep(interval)
            waited += max(interval, 1.0)
        raise Unacceptable(Reason.EXPIRED, "login: nobody confirmed it in time")

    def client_credentials(self, client_id: str, secret: str, audience: str) -> str:
        """The access token of a program."""
        form = {
            "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret,
            "audience": audience, "scope": SCOPES,
        }  # fmt: skip
        said = self._json("POST", self._at.token, data=form, refusals=True)
        if "error" in said:
            raise Unacceptable(Reason.UNAUTHENTICATED, f"login: {str(said['error'])[:80]}")
        return _text(said, "access_token")

    def subject(self, token: str) -> str:
        """Whom an access token speaks for, by the provider's own word."""
        said = self._json("GET", self._at.userinfo, headers={"authorization": f"Bearer {token}"})
        return _text(said, "sub")

    def _json(self, method: str, url: str, *, refusals: bool = False, **more: Any) -> dict[str, Any]:
        # RFC 6749 section 5.2: an error comes with status 400 (or 401) and a JSON document
        accepted = frozenset({400, 401, 403}) if refusals else frozenset[int]()
        answer = self._connection.ask(method, url, limit=MAX_ANSWER, accepted=accepted, **more)
        try:
            table = json.decode(answer.body, "OpenID Connect answer", limit=MAX_ANSWER)
        except Malformed as error:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, str(error)) from None
        if not isinstance(table, dict):
            raise _strange("not an object")
        return table


def claimed_subject(token: str) -> str | None:
    """The `sub` that a JWT says of itself; None for other tokens. The Drawbridge checks it, not we."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), "token")
    except (Malformed, ValueError):
        return None
    subject = claims.get("sub") if isinstance(claims, dict) else None
    return subject if isinstance(subject, str) else None


def _text(table: dict[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise _strange(name)
    return value


def _url(table: dict[str, Any], name: str, default: str) -> str:
    value = table.get(name, default)
    return value if isinstance(value, str) else default


def _strange(what: str) -> EnarxError:
    return Undetermined(Reason.UNEXPECTED_ANSWER, f"OpenID Connect answer: {what}")
