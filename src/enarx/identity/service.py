# SPDX-License-Identifier: Apache-2.0
"""The Steward over HTTP: routes, and nothing that decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, post

from enarx.identity import service_admin, service_log, service_trust, service_upstream
from enarx.identity.archive import Archive
from enarx.identity.audit import Audit
from enarx.identity.clock import Clock
from enarx.identity.ledger import Ledger
from enarx.identity.log import LogKey
from enarx.identity.message import (
    AttestAnswer,
    AttestRequest,
    CredentialAnswer,
    CredentialRequest,
    NonceAnswer,
    NonceRequest,
)
from enarx.identity.remembered import Remembered
from enarx.identity.rulebook import Rulebook
from enarx.identity.service_admin import Office
from enarx.identity.steward import Steward
from enarx.identity.upstream import Upstream
from enarx.web.answers import JSON, application, only
from enarx.web.guard import Guard
from enarx.web.limits import Limits
from enarx.web.metrics import Metrics

DESCRIPTION = "Issues certificates to Keeps upon evidence. Refusals are RFC 9457 problem documents."


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one worker. `administrators`: without any there are no administrators' routes."""

    steward: Steward
    upstream: Upstream
    ledger: Ledger
    archive: Archive
    log: LogKey
    clock: Clock
    audit: Audit
    rulebook: Rulebook
    remembered: Remembered
    office: Office | None


def create(service: Service, *, limits: Limits, metrics: Metrics) -> Guard:
    """The application of one worker."""
    made = application(
        _handlers(service),
        title="Enarx Steward",
        description=DESCRIPTION,
        on_startup=[service.rulebook.start, service.audit.start, service.remembered.start],
        on_shutdown=[
            service.rulebook.stop,
            service.audit.stop,
            _closing(service.ledger),
            service.remembered.stop,
        ],
    )
    return Guard(made, service="steward", limits=limits, metrics=metrics, ready=service.ledger.alive)


def _closing(ledger: Ledger) -> Callable[[], Awaitable[None]]:
    async def close() -> None:
        ledger.close()

    return close


def _handlers(service: Service) -> list[Any]:
    steward, archive, clock = service.steward, service.archive, service.clock
    handlers = [
        *_keep_routes(steward),
        *service_upstream.routes(service.upstream),
        *service_log.routes(archive, service.log),
        *service_trust.bundle_routes((steward.authority,), service.log, clock),
        *service_trust.status_routes(steward.authority, archive, clock, steward.tenant),
    ]
    if service.upstream.authority is not None:
        own = service.upstream.authority
        handlers += service_trust.status_routes(own, archive, clock, service.upstream.tenant, prefix="/v1/legacy")
    if service.office is not None:
        handlers += service_admin.policy_routes(service.office)
        handlers += service_admin.other_routes(service.office)
    return handlers


def _keep_routes(steward: Steward) -> list[Any]:
    """What Keeps ask for."""

    @post("/v1/nonce", before_request=only(JSON), status_code=200)
    async def nonce(data: NonceRequest) -> NonceAnswer:
        """32 random bytes for one policy, purpose and launch digest: good once, for five minutes."""
        return await steward.nonce(data)

    @post("/v1/credential", before_request=only(JSON), status_code=200)
    async def credential(data: CredentialRequest) -> CredentialAnswer:
        """A secret for a TPM's two keys, which comes back with the evidence once the TPM has opened it."""
        return await steward.credential(data)

    @post("/v1/attest", before_request=only(JSON), status_code=200)
    async def attest(data: AttestRequest, request: Request[Any, Any, Any]) -> AttestAnswer:
        """A certificate for the key of the request, when its evidence is good enough."""
        said: dict[str, Any] = {"request": request.scope["request_id"]}  # type: ignore[typeddict-item]
        request.scope["said"] = said  # type: ignore[typeddict-unknown-key]
        return await steward.attest(data, said)

    return [nonce, credential, attest]
