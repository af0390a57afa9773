# SPDX-License-Identifier: Apache-2.0
"""Upstream's routes: the root path, its status codes, and problem documents where it sent nothing."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import State

from enarx.errors import EnarxError, Malformed, Reason
from enarx.identity.upstream import BUNDLE, PKCS10, Upstream
from enarx.web import problem
from enarx.web.answers import refused


def routes(upstream: Upstream) -> list[Any]:
    """The handlers."""

    @get("/", include_in_schema=False)
    async def health() -> Response[bytes]:
        """Nothing, with 200."""
        return Response(b"", media_type="text/plain")

    @post("/", status_code=200, include_in_schema=False)
    async def attest(request: Request[Any, Any, State]) -> Response[bytes]:
        """A certificate for a request that carries its evidence."""
        said: dict[str, Any] = {"request": request.scope["request_id"]}  # type: ignore[typeddict-item]
        request.scope["said"] = said  # type: ignore[typeddict-unknown-key]
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind not in (PKCS10, BUNDLE):
                raise Malformed(Reason.MEDIA_TYPE, f"content-type {kind[:80]!r}", hint=f"{PKCS10} or {BUNDLE}")
            return Response(await upstream.answer(await request.body(), kind, said), media_type=kind)
        except EnarxError as error:
            return _as_upstream(request, error)

    return [health, attest]


def _as_upstream(request: Request[Any, Any, Any], error: EnarxError) -> Response[bytes]:
    """401 for a request without evidence, 400 for every other refusal, as upstream; ours for our own trouble."""
    response = refused(request, error)
    status = problem.status_of(error)
    if error.reason is Reason.UNAUTHENTICATED:
        response.status_code = 401
    elif status < 500 and error.reason is not Reason.TOO_LARGE:
        response.status_code = 400
    return response
