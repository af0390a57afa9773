# SPDX-License-Identifier: Apache-2.0
"""Litestar as our services use it: its refusals become ours, and it adds nothing of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin

from enarx.errors import EnarxError, Faulty, Malformed, Misused, Reason
from enarx.web import problem

JSON = "application/json"


def application(
    handlers: Sequence[Any],
    *,
    title: str,
    description: str,
    on_startup: Sequence[Callable[[], Awaitable[None]]] = (),
    on_shutdown: Sequence[Callable[[], Awaitable[None]]] = (),
) -> Litestar:
    """A Litestar application whose every refusal is a problem document; OpenAPI at `/docs`.

    It stands behind `enarx.web.guard.Guard`, which bounds bodies and times.
    """
    return Litestar(
        route_handlers=list(handlers),
        exception_handlers={
            EnarxError: refused,
            HTTPException: refused_by_framework,
            RecursionError: refused_as_too_deep,
            UnicodeDecodeError: refused_as_not_utf8,
            Exception: unforeseen,
        },
        on_startup=list(on_startup),
        on_shutdown=list(on_shutdown),
        openapi_config=OpenAPIConfig(
            title=title,
            version="1",
            description=description,
            path="/docs",
            render_plugins=[SwaggerRenderPlugin(path="/")],
        ),
        logging_config=None,
        request_max_body_size=None,
        debug=False,
    )


def refused(request: Request[Any, Any, Any], error: EnarxError) -> Response[bytes]:
    """The problem document of one of our errors, and its reason in the log line."""
    said = problem.of(error, request=request.scope.get("request_id", ""))  # type: ignore[arg-type]
    line = request.scope.setdefault("said", {})  # type: ignore[typeddict-item]
    line.update(reason=str(error.reason), family=error.family, subject=error.subject)
    return Response(said.encoded(), status_code=said.status, media_type=problem.MEDIA_TYPE)


def refused_by_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What Litestar refuses: no such path, no such method, a body of another shape."""
    response = refused(request, _ours(error))
    if error.status_code == 405:
        response.headers.update({name: value for name, value in (error.headers or {}).items() if name == "Allow"})
    return response


def refused_as_too_deep(request: Request[Any, Any, Any], _: RecursionError) -> Response[bytes]:
    """A body nested deeper than its decoder goes; nothing else here follows the depth of its input."""
    return refused(request, Malformed(Reason.TOO_DEEP, "request body"))


def refused_as_not_utf8(request: Request[Any, Any, Any], _: UnicodeDecodeError) -> Response[bytes]:
    """A body whose text is not UTF-8 (RFC 8259 section 8.1); no other text of a client's is decoded unguarded."""
    return refused(request, Malformed(Reason.SYNTAX, "request body: not UTF-8"))


def unforeseen(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Left to the guard, which logs where it arose."""
    raise error


_OF_FRAMEWORK: dict[int, tuple[type[EnarxError], Reason, str]] = {
    404: (Misused, Reason.NOT_FOUND, "path"),
    405: (Misused, Reason.METHOD, "method"),
    413: (Malformed, Reason.TOO_LARGE, "request body"),
    415: (Malformed, Reason.MEDIA_TYPE, "request body"),
}


def _ours(error: HTTPException) -> EnarxError:
    if isinstance(error, ValidationException):
        return Malformed(Reason.SYNTAX, _first(error))
    if found := _OF_FRAMEWORK.get(error.status_code):
        family, reason, subject = found
        return family(reason, subject)
    return Malformed(Reason.SYNTAX, error.detail) if error.status_code < 500 else Faulty(Reason.INTERNAL)


def _first(error: ValidationException) -> str:
    """What was wrong first: `key: message`."""
    extra = error.extra
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        return ": ".join(str(extra[0][name]) for name in ("key", "message") if extra[0].get(name))
    return error.detail.splitlines()[0]


def only(*media_types: str) -> Callable[[Request[Any, Any, Any]], Awaitable[None]]:
    """A `before_request` that refuses any other media type, and any charset but UTF-8."""

    async def check(request: Request[Any, Any, Any]) -> None:
        require_media(request.headers.get("content-type", ""), media_types)

    return check


def require_media(said: str, media_types: Sequence[str]) -> None:
    """The Content-Type is one of `media_types`, with no charset but UTF-8 (RFC 8259 section 8.1)."""
    kind, _, rest = said.partition(";")
    if kind.strip().lower() not in media_types:
        raise Malformed(
            Reason.MEDIA_TYPE, f"content-type {kind.strip()[:80]!r}", hint=f"send {' or '.join(media_types)}"
        )
    for parameter in filter(None, (one.strip().lower() for one in rest.split(";"))):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise Malformed(Reason.MEDIA_TYPE, f"charset {value[:40]!r}", hint="send UTF-8")
