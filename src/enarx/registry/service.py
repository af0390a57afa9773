# SPDX-License-Identifier: Apache-2.0
"""The Drawbridge over HTTP: upstream's paths, headers, JSON and status codes.

Bytes are kept and given back as they were received. `create(settings)` is the ASGI application;
who may do what is decided in `enarx.registry.access`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, TypeVar

import msgspec
from anyio import to_thread
from litestar import Controller, HttpMethod, Request, Response, delete, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from enarx.errors import Malformed, Misused, Reason
from enarx.registry import name
from enarx.registry.access import Bearer, Context, Level
from enarx.registry.desk import Desk, Place
from enarx.registry.door import Authority, opened
from enarx.registry.meta import headers, parse_headers
from enarx.registry.settings import Settings
from enarx.registry.upload import receive, small
from enarx.web import answers, problem
from enarx.web.guard import Application, Guard
from enarx.web.limits import Limits
from enarx.workload.tree import MAX_ENTRY, Entry, Scale

API_VERSION = (0, 4, 0)
"""The version of upstream's server whose interface this is."""
PIECE = 1 << 18
INERT = {"content-security-policy": "default-src 'none'; sandbox", "x-content-type-options": "nosniff"}
"""A browser that is led to a stranger's upload neither runs nor guesses it."""
T = TypeVar("T")
Http = Request[Any, Any, Any]


class UserRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user: the OpenID Connect subject whose names it holds."""

    subject: str


class RepositoryRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A repository: whether anyone may read it."""

    public: bool


async def require_version(request: Http) -> Response[bytes] | None:
    """Refuse the path of an interface that is newer than ours."""
    asked = name.api_version(request.path_params["version"])
    if asked is None:
        raise Malformed(Reason.SYNTAX, "API version")
    if asked[0] > API_VERSION[0] or (asked[0] == API_VERSION[0] == 0 and asked[1] > API_VERSION[1]):
        said = problem.of(Misused(Reason.UNKNOWN_VERSION, "Unsupported API version"), status=501)
        return Response(said.encoded(), status_code=501, media_type=problem.MEDIA_TYPE)
    return None


def _both(path: str) -> HTTPRouteHandler:
    """A handler of GET and HEAD; the server leaves a HEAD's body out."""
    return HTTPRouteHandler(path, http_method=[HttpMethod.GET, HttpMethod.HEAD])


class Drawbridge(Controller):
    """`/api/vX.Y.Z`. A subclass of one application's own has its desk and its authority."""

    path = "/api/{version:str}"
    before_request = staticmethod(require_version)
    desk: ClassVar[Desk]
    authority: ClassVar[Authority]

    @_both("/{user:str}")
    async def show_user(self, request: Http, user: str) -> Response[bytes]:
        """The record of a user, for its owner."""
        await self._owner(request, user, Level.READ, Context.USERS)
        return _json(UserRecord(await _blocking(self.desk.catalog.subject, user)))

    @put("/{user:str}")
    async def create_user(self, request: Http, user: str) -> Response[bytes]:
        """Register a user for the subject of the token."""
        bearer = await self._bearer(request)
        record = await _record(request, UserRecord)
        await _blocking(self.desk.create_user, bearer, user, record.subject)
        return _created()

    @_both("/{user:str}/{repository:str}")
    async def show_repository(self, request: Http, user: str, repository: str) -> Response[bytes]:
        """The record of a repository, for its owner."""
        await self._owner(request, user, Level.READ, Context.REPOSITORIES)
        found = await _blocking(self.desk.catalog.repository, user, repository)
        return _json(RepositoryRecord(found.public))

    @put("/{user:str}/{repository:str}")
    async def create_repository(self, request: Http, user: str, repository: str) -> Response[bytes]:
        """Create a repository, private or public."""
        _place(user, repository)
        await self._owner(request, user, Level.WRITE, Context.REPOSITORIES)
        record = await _record(request, RepositoryRecord)
        await _blocking(partial(self.desk.catalog.create_repository, user, repository, public=record.public))
        return _created()

    @_both("/{user:str}/{repository:str}/_tag")
    async def list_tags(self, request: Http, user: str, repository: str) -> Response[bytes]:
        """The names of a repository's tags."""
        place = _place(user, repository)
        found = await _blocking(self.desk.readable, place, partial(self.authority.bearer, request))
        return _json(await _blocking(self.desk.catalog.tags, found.id))

    @_both("/{user:str}/{repository:str}/_tag/{tag:str}")
    async def show_tag(self, request: Http, user: str, repository: str, tag: str) -> Response[bytes]:
        """A tag as it was received: the entry of its tree, or a JWS over it."""
        place = _place(user, repository, tag)
        found = await _blocking(self.desk.readable, place, partial(self.authority.bearer, request))
        kept = await _blocking(self.desk.catalog.tag, found.id, tag)
        return _bytes(kept.content, kept.type)

    @put("/{user:str}/{repository:str}/_tag/{tag:str}")
    async def create_tag(self, request: Http, user: str, repository: str, tag: str) -> Response[bytes]:
        """Add a tag. It is whole when the last node of its tree has come."""
        place = _place(user, repository, tag)
        await self._owner(request, user, Level.WRITE, Context.TAGS)
        given = parse_headers(request.headers)
        if not given.digest:
            raise Malformed(Reason.MISSING, "At least one content digest value must be specified")
        content = await _checked(request, given)
        await _blocking(partial(self.desk.create_tag, place, content, given.type, when=_now()))
        return _created()

    @delete("/{user:str}/{repository:str}/_tag/{tag:str}", status_code=204)
    async def delete_tag(self, request: Http, user: str, repository: str, tag: str) -> None:
        """Yank a tag; forget one that is not whole, so that its name can be used again.

        With `?unfinished=true` a tag that is whole stays (409).
        """
        unfinished = request.query_params.get("unfinished") == "true"
        place = _place(user, repository, tag)
        await self._owner(request, user, Level.WRITE, Context.TAGS)
        await _blocking(partial(self.desk.delete_tag, place, unfinished_only=unfinished))

    @_both("/{user:str}/{repository:str}/_tag/{tag:str}/tree")
    async def show_root(self, request: Http, user: str, repository: str, tag: str) -> Response[bytes]:
        """The root of a tag's tree."""
        return await self._read(request, _place(user, repository, tag), "")

    @_both("/{user:str}/{repository:str}/_tag/{tag:str}/tree/{path:path}")
    async def show_node(self, request: Http, user: str, repository: str, tag: str, path: str) -> Response[bytes]:
        """A node of a tag's tree."""
        return await self._read(request, _place(user, repository, tag), path)

    @put("/{user:str}/{repository:str}/_tag/{tag:str}/tree")
    async def create_root(self, request: Http, user: str, repository: str, tag: str) -> Response[bytes]:
        """Upload the root of a tag's tree."""
        return await self._write(request, _place(user, repository, tag), "")

    @put("/{user:str}/{repository:str}/_tag/{tag:str}/tree/{path:path}")
    async def create_node(self, request: Http, user: str, repository: str, tag: str, path: str) -> Response[bytes]:
        """Upload a node that a directory names."""
        return await self._write(request, _place(user, repository, tag), path)

    async def _read(self, request: Http, place: Place, path: str) -> Response[Any]:
        caller = partial(self.authority.caller, request)
        found, file = await _blocking(partial(self.desk.opened, place, path.strip("/"), caller, when=_now()))
        size = os.fstat(file.fileno()).st_size  # a store that was tampered with is served as it is: clients check
        said = {**headers(found.entry), **INERT, "content-length": str(size)}
        if request.method == "HEAD" or size <= PIECE:
            with file:
                return Response(b"" if request.method == "HEAD" else file.read(), headers=said, status_code=200)

        async def pieces() -> AsyncIterator[bytes]:
            with file:
                while piece := await _blocking(file.read, PIECE):
                    yield piece

        return Stream(pieces(), headers=said, status_code=200)

    async def _write(self, request: Http, place: Place, path: str) -> Response[bytes]:
        path = path.strip("/")
        bearer = await self._owner(request, place.user, Level.WRITE, Context.TAGS)
        given = parse_headers(request.headers)
        tag, expected = await _blocking(self.desk.expected, place, path, given, bearer)
        with self.desk.blobs.incoming() as incoming:
            came = await receive(request.stream(), incoming, expected)
            await _blocking(self.desk.fill, tag, path, expected, came, incoming, bearer)
        return _created()

    async def _bearer(self, request: Http) -> Bearer:
        return await _blocking(self.authority.bearer, request)

    async def _owner(self, request: Http, user: str, level: Level, context: Context) -> Bearer:
        _place(user)
        bearer = await self._bearer(request)
        await _blocking(self.desk.owner, bearer, user, level, context)
        return bearer


@get("/health")
async def health() -> None:
    """Upstream's sign of life."""


def create(settings: Settings) -> Application:
    """The Drawbridge of these settings; opens the store and brings the database up to date."""
    desk, authority, database_answers = opened(settings)
    bound = type("Drawbridge", (Drawbridge,), {"desk": desk, "authority": authority, "__doc__": Drawbridge.__doc__})
    application = answers.application(
        [bound, health], title="Enarx Drawbridge", description="Packages of workloads, by their digests."
    )

    async def ready() -> None:
        await _blocking(database_answers)

    inner: Any = application
    return Guard(inner, service="drawbridge", limits=limits(settings), ready=ready)


def limits(settings: Settings) -> Limits:
    """The bounds of a connection."""
    return Limits(body=settings.node + (1 << 16), seconds=settings.seconds)


async def _blocking(call: Callable[..., T], *arguments: Any) -> T:
    return await to_thread.run_sync(call, *arguments)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a door


def _place(user: str, repository: str | None = None, tag: str | None = None) -> Place:
    """The path's names, each of which is one."""
    for valid, what, given in (
        (name.valid_user, "user name", user),
        (name.valid_repository, "repository name", repository),
        (name.valid_tag, "tag name", tag),
    ):
        if given is not None and not valid(given):
            raise Malformed(Reason.SYNTAX, f"{what} {given[:80]!r}")
    return Place(user, repository or "", tag or "")


async def _checked(request: Http, given: Entry) -> bytes:
    """A small body that is what its headers say."""
    body = await small(request.stream(), MAX_ENTRY)
    if given.digest:
        scale = Scale(given.digest)
        scale.update(body)
        if scale.entry(given.type).digest != given.digest:
            raise Malformed(Reason.DIGEST_MISMATCH, "Content digest mismatch")
    return body


async def _record(request: Http, kind: type[T]) -> T:
    answers.require_media(request.headers.get("content-type", ""), [answers.JSON])
    body = await _checked(request, parse_headers(request.headers))
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise Malformed(Reason.WRONG_TYPE, str(error)) from None
    except msgspec.DecodeError as error:
        raise Malformed(Reason.SYNTAX, str(error)) from None


def _json(value: object) -> Response[bytes]:
    return _bytes(msgspec.json.encode(value), answers.JSON)


def _bytes(raw: bytes, media_type: str) -> Response[bytes]:
    scale = Scale()
    scale.update(raw)
    return Response(raw, headers=headers(scale.entry(media_type)), status_code=200)


def _created() -> Response[bytes]:
    return Response(b"", status_code=201)
