# SPDX-License-Identifier: Apache-2.0
"""The Steward over HTTP: routes, and nothing that decides."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Litestar, Request, post

from enarx.identity import service_admin, service_log, service_trust, service_upstream
from enarx.identity.archive import Archive
from enarx.identity.audit import Audit
from enarx.identity.clock import Clock
from enarx.identity.log import LogKey
from enarx.identity.message import (
    AttestAnswer,
    AttestRequest,
    CredentialAnswer,
    CredentialRequest,
    NonceAnswer,
    NonceRequest,
)
from enarx.identity.rulebook import Rulebook
from enarx.identity.service_admin import Office
from enarx.identity.steward import Steward
from enarx.identity.upstream import Upstream
from enarx.web.answers import JSON, application, only

DESCRIPTION = "Issues certificates to Keeps upon evidence. Refusals are RFC 9457 problem documents."


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one tenant in one worker. `office`: None where there are no administrators."""

    steward: Steward
    upstream: Upstream
    archive: Archive
    log: LogKey
    clock: Clock
    audit: Audit
    rulebook: Rulebook
    office: Office | None


def create(service: Service) -> Litestar:
    """The application of one tenant in one worker."""
    return application(
        _handlers(service),
        title="Enarx Steward",
        description=DESCRIPTION,
        on_startup=[service.rulebook.start, service.audit.start],
        on_shutdown=[service.rulebook.stop, service.audit.stop],
    )


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
        handlers += service_admin.reading_routes(service.office)
        handlers += service_admin.changing_routes(service.office)
        handlers += service_admin.other_routes(service.office)
    return handlers


def _keep_routes(steward: Steward) -> list[Any]:
    """What Keeps ask for."""

    @post("/v1/nonce", before_request=only(JSON), status_code=200)
    async def nonce(data: NonceRequest) -> NonceAnswer:
        """32 random bytes for one policy, purpose and launch digest: good once, for five minutes."""
        return await steward.nonce(data)

    @post("/v1/credential", before_request=only(JSON), status_code=200)
    async def credential(data: CredentialRequest, request: Request[Any, Any, Any]) -> CredentialAnswer:
        """A secret for a TPM's two keys, which comes back with the evidence once the TPM has opened it."""
        return await steward.credential(data, _said(request))

    @post("/v1/attest", before_request=only(JSON), status_code=200)
    async def attest(data: AttestRequest, request: Request[Any, Any, Any]) -> AttestAnswer:
        """A certificate for the key of the request, when its evidence is good enough."""
        return await steward.attest(data, _said(request))

    return [nonce, credential, attest]


def _said(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What the request's log line will say beside what every line says."""
    said: dict[str, Any] = {"request": request.scope["request_id"]}  # type: ignore[typeddict-item]
    request.scope["said"] = said  # type: ignore[typeddict-unknown-key]
    return said
