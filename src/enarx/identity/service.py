# SPDX-License-Identifier: Apache-2.0
"""The Steward over HTTP: routes, and nothing that decides."""

from __future__ import annotations

from typing import Any

from litestar import Request, post

from enarx.identity import service_log, service_trust, service_upstream
from enarx.identity.archive import Archive
from enarx.identity.clock import Clock
from enarx.identity.ledger import Ledger
from enarx.identity.log import LogKey
from enarx.identity.message import AttestAnswer, AttestRequest, NonceAnswer, NonceRequest
from enarx.identity.steward import Steward
from enarx.identity.upstream import Upstream
from enarx.web.answers import JSON, application, only
from enarx.web.guard import Guard
from enarx.web.limits import Limits
from enarx.web.metrics import Metrics

DESCRIPTION = "Issues certificates to Keeps upon evidence. Refusals are RFC 9457 problem documents."


def create(
    steward: Steward,
    upstream: Upstream,
    ledger: Ledger,
    archive: Archive,
    log: LogKey,
    clock: Clock,
    *,
    limits: Limits,
    metrics: Metrics,
) -> Guard:
    """The application of one worker."""

    @post("/v1/nonce", before_request=only(JSON), status_code=200)
    async def nonce(data: NonceRequest) -> NonceAnswer:
        """32 random bytes for one policy, purpose and launch digest: good once, for five minutes."""
        return await steward.nonce(data)

    @post("/v1/attest", before_request=only(JSON), status_code=200)
    async def attest(data: AttestRequest, request: Request[Any, Any, Any]) -> AttestAnswer:
        """A certificate for the key of the request, when its evidence is good enough."""
        said: dict[str, Any] = {}
        request.scope["said"] = said  # type: ignore[typeddict-unknown-key]
        return await steward.attest(data, said)

    handlers = [
        nonce,
        attest,
        *service_upstream.routes(upstream),
        *service_log.routes(archive, log),
        *service_trust.bundle_routes((steward.authority,), log, clock),
        *service_trust.status_routes(steward.authority, archive, clock, steward.tenant),
    ]

    if upstream.authority is not None:
        handlers += service_trust.status_routes(upstream.authority, archive, clock, "legacy", prefix="/v1/legacy")

    async def close() -> None:
        ledger.close()

    made = application(
        handlers,
        title="Enarx Steward",
        description=DESCRIPTION,
        on_shutdown=[close],
    )
    return Guard(made, service="steward", limits=limits, metrics=metrics, ready=ledger.alive)
