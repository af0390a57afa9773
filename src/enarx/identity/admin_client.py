# SPDX-License-Identifier: Apache-2.0
"""An administrator's door to a Steward."""

from __future__ import annotations

import ssl
from typing import Any, Self, TypeVar

import httpx
import msgspec

from enarx.errors import Misused, Reason, Undetermined
from enarx.identity.administration import Revocation, Tried
from enarx.identity.client import refuse, why
from enarx.identity.rulebook import Document, Proposal, Version
from enarx.identity.tenant import TenantFacts

PATIENCE = 60.0
"""Seconds: trying a policy judges up to 256 requests."""
MAX_ANSWER = 64 << 20
PREFIX = "/v1/admin"

T = TypeVar("T")


class Count(msgspec.Struct, frozen=True):
    """How many."""

    count: int


class AdminClient:
    """One administrator at one Steward. Use it in a `with` statement."""

    def __init__(self, url: str, token: str, *, ca_pem: str | None = None) -> None:
        """`ca_pem`: whom to believe as the Steward's TLS, or None: whom this machine believes."""
        try:
            context = ssl.create_default_context(cadata=ca_pem)
            parsed = httpx.URL(url)
        except (ssl.SSLError, ValueError):
            raise Misused(Reason.FILE_UNREADABLE, "CA of the steward's TLS: not PEM") from None
        except httpx.InvalidURL:
            raise Misused(Reason.SYNTAX, f"steward URL {url!r}") from None
        if parsed.scheme != "https" or not parsed.host:
            raise Misused(Reason.SYNTAX, f"steward URL {url!r}", hint="a steward is reached over https")
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._who = f"the steward at {parsed.host}:{parsed.port or 443}"
        self._http = httpx.Client(
            base_url=parsed,
            verify=context,
            timeout=PATIENCE,
            trust_env=False,
            headers={"authorization": f"Bearer {token}"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def tenant(self) -> TenantFacts:
        """Whose Steward this is, and who one is there."""
        return self._ask("GET", "/tenant", TenantFacts)

    def in_force(self) -> list[Version]:
        """The versions that accept now; one of a file has the number 0."""
        return self._ask("GET", "/policies/in-force", list[Version])

    def history(self) -> list[Version]:
        """Every version, newest first."""
        return self._ask("GET", "/policies", list[Version])

    def document(self, key: str) -> Document:
        """A version by its number, or the newest in force of a name, with its text."""
        return self._ask("GET", f"/policies/{key}", Document)

    def propose(self, proposal: Proposal) -> Version:
        """Propose a policy."""
        return self._ask("POST", "/policies", Version, proposal)

    def approve(self, key: int) -> Version:
        """Approve what another administrator proposed."""
        return self._ask("POST", f"/policies/{key}/approve", Version)

    def retire(self, name: str) -> None:
        """End a policy."""
        self._ask("POST", "/policies/retire", Count, {"name": name})

    def try_on(self, text: str, last: int) -> list[Tried]:
        """What a policy would have said to the last requests."""
        return self._ask("POST", "/policies/try", list[Tried], {"text": text, "last": last})

    def revoke(self, wanted: Revocation) -> int:
        """Revoke; how many certificates."""
        return self._ask("POST", "/revoke", Count, msgspec.structs.asdict(wanted)).count

    def refusals(self, last: int) -> list[dict[str, Any]]:
        """The last refusals, newest first."""
        return self._ask("GET", f"/refusals?last={last}", list[dict[str, Any]])

    def _ask(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            answer = self._http.request(method, PREFIX + path, content=content, headers=headers)
        except httpx.TimeoutException:
            raise Undetermined(Reason.TIMED_OUT, f"{self._who} does not answer") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Undetermined(Reason.UNREACHABLE, f"{self._who}: {why(error)}") from None
        if answer.status_code not in {200, 201}:
            refuse(answer.content, answer.status_code, self._who)
        if len(answer.content) > MAX_ANSWER:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._who} answers without end")
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._who} answers nonsense") from None
