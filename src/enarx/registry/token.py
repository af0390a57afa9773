# SPDX-License-Identifier: Apache-2.0
"""Whom a bearer token speaks for: OpenID Connect JWTs (RS256, ES256), and static ones for tests.

The provider's keys are fetched when they are first needed, again when a token names a key that we
do not know, and every hour; so a provider that rotates its keys needs nobody's help.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from enarx.codec import json
from enarx.codec.digest import same, sha256
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.registry.access import EVERY_SCOPE, Bearer
from enarx.registry.connection import require_secure

ALGORITHMS = ("RS256", "ES256")
MAX_TOKEN = 16_384
MAX_ANSWER = 1 << 20
REFRESH_SECONDS = 3600.0
RETRY_SECONDS = 10.0
"""At most one look at the provider in this time, whatever key identifiers strangers invent."""


class StaticTokens:
    """Tokens that somebody wrote into a file. They have every scope and never expire."""

    __slots__ = ("_subjects",)

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._subjects = [(sha256(token.encode()), subject) for token, subject in tokens.items()]

    def bearer(self, token: str) -> Bearer | None:
        """Whom the token speaks for, or None."""
        digest = sha256(token.encode())
        found = [subject for known, subject in self._subjects if same(known, digest)]
        return Bearer(found[0], EVERY_SCOPE) if found else None


class Provider:
    """An OpenID Connect provider, as one that checks its tokens sees it."""

    def __init__(
        self, issuer: str, audience: str, client: httpx.Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        require_secure(issuer, "--oidc-issuer")
        self._issuer = issuer
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._keys = KeySet([])
        self._asked: float | None = None
        self._failure: Undetermined | None = None
        self._claims = {
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": audience},
            "sub": {"essential": True},
            "exp": {"essential": True},
            "iat": {"essential": True},
            "scope": {"essential": True},
        }

    def bearer(self, token: str) -> Bearer:
        """Whom the token speaks for. `Unauthentic` for any token that is not good now."""
        try:
            if len(token) > MAX_TOKEN:
                raise _invalid()
            decoded = jwt.decode(token, lambda header: self._key(header.headers()), algorithms=list(ALGORITHMS))
            registry = jwt.JWTClaimsRegistry(None, 0, **self._claims)  # type: ignore[arg-type]
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError):
            raise _invalid() from None
        subject, scope = decoded.claims["sub"], decoded.claims["scope"]
        if not isinstance(subject, str) or not subject or not isinstance(scope, str):
            raise _invalid()
        return Bearer(subject, frozenset(scope.split()))

    def _key(self, header: Mapping[str, Any]) -> Any:
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise _invalid()
        with self._lock:
            now = self._clock()
            found = self._named(kid)
            age = None if self._asked is None else now - self._asked
            if age is None or age > (REFRESH_SECONDS if found is not None else RETRY_SECONDS):
                self._refresh(now)
                found = self._named(kid)
        if found is None:
            raise self._failure or _invalid()
        return found

    def _refresh(self, now: float) -> None:
        """Ask the provider; if it does not answer, the keys that we have go on being good."""
        self._asked = now
        self._failure = None
        try:
            self._fetch()
        except Undetermined as error:
            self._failure = error

    def _named(self, kid: str) -> Any:
        return next((key for key in self._keys.keys if key.kid == kid and key.get("use", "sig") == "sig"), None)

    def _fetch(self) -> None:
        about = self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        # OpenID Connect Discovery 1.0 section 4.3: "The issuer value returned MUST be identical"
        if not isinstance(about, dict) or about.get("issuer") != self._issuer:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, "OpenID Connect discovery: issuer")
        where = about.get("jwks_uri")
        if not isinstance(where, str):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, "OpenID Connect discovery: jwks_uri")
        keys = self._get(where)
        try:
            self._keys = KeySet.import_key_set(keys)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, "OpenID Connect keys") from None

    def _get(self, url: str) -> Any:
        try:
            with self._client.stream("GET", url) as answer:
                answer.raise_for_status()
                body = b""
                for piece in answer.iter_bytes(1 << 16):
                    body += piece
                    if len(body) > MAX_ANSWER:
                        break
            return json.decode(body, "OpenID Connect answer", limit=MAX_ANSWER)
        except httpx.TimeoutException:
            raise Undetermined(Reason.TIMED_OUT, "OpenID Connect provider") from None
        except httpx.HTTPStatusError as error:
            raise Undetermined(
                Reason.UNEXPECTED_ANSWER, f"OpenID Connect provider: status code {error.response.status_code}"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Undetermined(Reason.UNREACHABLE, "OpenID Connect provider") from None
        except Malformed as error:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, str(error)) from None


def _invalid() -> EnarxError:
    return Unauthentic(Reason.UNAUTHENTICATED, "Invalid token provided")
