# SPDX-License-Identifier: Apache-2.0
"""What publishing means: names are owned, tags never change, a yanked version stays spent.

A tag that is not whole yet may be deleted and its name used again, so that a failed upload can
always be repeated; a whole one can only be yanked. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from enarx.errors import Reason, Unacceptable
from enarx.registry.database import reading, writing
from enarx.registry.schema import nodes, repositories, tags, users
from enarx.workload.package import MAX_DEPTH, MAX_NODES
from enarx.workload.tree import Entry, parse_entry

MAX_USERS, MAX_REPOSITORIES, MAX_TAGS = 100, 1000, 10_000
"""Users of a subject, repositories of a user, tags of a repository (yanked ones count)."""


class Repository(msgspec.Struct, frozen=True):
    """A repository: whose it is, and who may read it."""

    id: int
    owner: str
    public: bool


class Tag(msgspec.Struct, frozen=True):
    """A tag as it was received (`content`), and the package that its root names, once that is here."""

    id: int
    content: bytes
    type: str
    package: bytes | None
    whole: bool


class Node(msgspec.Struct, frozen=True):
    """What a directory says of a node, and the blob it lies in, once it is here."""

    entry: Entry
    blob: bytes | None


def _exists(what: str = "Already exists") -> Unacceptable:
    return Unacceptable(Reason.ALREADY_EXISTS, what)


def _absent(what: str = "Not found") -> Unacceptable:
    return Unacceptable(Reason.NOT_FOUND, what)


class Catalog:
    """The catalog in one database."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def subject(self, user: str) -> str:
        """The OpenID Connect subject of a user."""
        with reading(self._engine) as on:
            found = on.execute(select(users.c.subject).where(users.c.name == user)).scalar()
        if found is None:
            raise _absent(f"User `{user}` not found")
        return str(found)

    def create_user(self, name: str, subject: str) -> None:
        """Add a user."""
        try:
            with writing(self._engine) as on:
                _require_few(on, users, users.c.subject == subject, MAX_USERS)
                on.execute(insert(users).values(name=name, subject=subject))
        except IntegrityError:
            raise _exists() from None

    def repository(self, user: str, name: str) -> Repository:
        """A repository."""
        query = (
            select(repositories.c.id, users.c.subject, repositories.c.public)
            .join(users, users.c.id == repositories.c.user_id)
            .where(users.c.name == user, repositories.c.name == name)
        )
        with reading(self._engine) as on:
            row = on.execute(query).one_or_none()
        if row is None:
            raise _absent("Repository does not exist")
        return Repository(*row)

    def create_repository(self, user: str, name: str, *, public: bool) -> None:
        """Add a repository to a user."""
        owner = select(users.c.id).where(users.c.name == user).scalar_subquery()
        try:
            with writing(self._engine) as on:
                _require_few(on, repositories, repositories.c.user_id == owner, MAX_REPOSITORIES)
                on.execute(insert(repositories).values(user_id=owner, name=name, public=public))
        except IntegrityError:
            raise _exists() from None

    def tags(self, repository: int) -> list[str]:
        """The names of a repository's tags, oldest first."""
        query = select(tags.c.name).where(tags.c.repository_id == repository, tags.c.yanked.is_(False))
        with reading(self._engine) as on:
            return list(on.execute(query.order_by(tags.c.id)).scalars())

    def tag(self, repository: int, name: str) -> Tag:
        """A tag."""
        query = select(tags.c.id, tags.c.content, tags.c.type, tags.c.package, tags.c.whole)
        with reading(self._engine) as on:
            row = on.execute(query.where(_is(repository, name), tags.c.yanked.is_(False))).one_or_none()
        if row is None:
            raise _absent()
        return Tag(*row)

    def create_tag(
        self, repository: int, name: str, content: bytes, media_type: str, root: Entry | None, *, when: datetime
    ) -> None:
        """Add a tag; `root` is what it says of its tree."""
        row = {"content": content, "type": media_type, "whole": root is None, "yanked": False, "created": when}
        try:
            with writing(self._engine) as on:
                _require_few(on, tags, tags.c.repository_id == repository, MAX_TAGS)
                added = on.execute(insert(tags).values(repository_id=repository, name=name, **row))
                key = added.inserted_primary_key
                if root is not None and key is not None:
                    on.execute(insert(nodes).values(tag_id=key[0], **_row("", root)))
        except IntegrityError:
            raise _exists() from None

    def delete_tag(self, repository: int, name: str, drop: Callable[[bytes], None], *, unfinished_only: bool) -> None:
        """Yank a whole tag, forget one that is not; `drop` gets each blob that nothing names then."""
        with writing(self._engine) as on:
            row = on.execute(select(tags.c.id, tags.c.whole).where(_is(repository, name), ~tags.c.yanked)).one_or_none()
            if row is None:
                raise _absent()
            if row.whole and unfinished_only:
                raise _exists()
            held = set(
                on.execute(select(nodes.c.blob).where(nodes.c.tag_id == row.id, nodes.c.blob.is_not(None))).scalars()
            )
            on.execute(delete(nodes).where(nodes.c.tag_id == row.id))
            if row.whole:
                on.execute(update(tags).where(tags.c.id == row.id).values(yanked=True))
            else:
                on.execute(delete(tags).where(tags.c.id == row.id))
            for blob in held:
                if not on.execute(select(nodes.c.blob).where(nodes.c.blob == blob).limit(1)).all():
                    drop(blob)

    def node(self, tag: int, path: str) -> Node:
        """A node that the tag or a directory names."""
        query = select(nodes.c.entry, nodes.c.blob).where(nodes.c.tag_id == tag, nodes.c.path == path)
        with reading(self._engine) as on:
            row = on.execute(query).one_or_none()
        if row is None:
            raise _absent()
        return Node(parse_entry(row.entry), row.blob)

    def fill(
        self,
        tag: int,
        path: str,
        blob: bytes,
        below: Mapping[str, Entry],
        *,
        package: bytes | None,
        keep: Callable[[], object],
        allowed: Callable[[Connection], object] = lambda _: None,
    ) -> None:
        """Give a node its blob; a directory brings the rows of what it holds (`below`).

        package  the package's digest, when this is the root of one
        keep     called inside the transaction: puts the blob where readers find it
        allowed  called before it, in the transaction: raises when this would be too much
        """
        prefix = f"{path}/" if path else ""
        if below and path and path.count("/") + 1 >= MAX_DEPTH:
            raise Unacceptable(Reason.TOO_DEEP, f"directory {path}")
        with writing(self._engine) as on:
            this = and_(nodes.c.tag_id == tag, nodes.c.path == path)
            if not on.execute(update(nodes).where(this, nodes.c.blob.is_(None)).values(blob=blob)).rowcount:
                raise _exists() if _count(on, this) else _absent()
            if below:
                on.execute(
                    insert(nodes), [{"tag_id": tag, **_row(prefix + name, entry)} for name, entry in below.items()]
                )
                if _count(on, nodes.c.tag_id == tag) > MAX_NODES:
                    raise Unacceptable(Reason.TOO_LARGE, f"tree: over {MAX_NODES} nodes")
            if package is not None:
                on.execute(update(tags).where(tags.c.id == tag).values(package=package))
            if not _count(on, and_(nodes.c.tag_id == tag, nodes.c.blob.is_(None))):
                on.execute(update(tags).where(tags.c.id == tag).values(whole=True))
            allowed(on)
            keep()

    def stored(self, subject: str, on: Connection | None = None) -> int:
        """How many bytes lie in the trees of all users of one subject, as the transaction `on` sees them."""
        query = (
            select(func.coalesce(func.sum(nodes.c.length), 0))
            .join(tags, tags.c.id == nodes.c.tag_id)
            .join(repositories, repositories.c.id == tags.c.repository_id)
            .join(users, users.c.id == repositories.c.user_id)
            .where(users.c.subject == subject, nodes.c.blob.is_not(None))
        )
        if on is not None:
            return int(on.execute(query).scalar_one())
        with reading(self._engine) as fresh:
            return int(fresh.execute(query).scalar_one())


def _is(repository: int, name: str) -> ColumnElement[bool]:
    return and_(tags.c.repository_id == repository, tags.c.name == name)


def _row(path: str, entry: Entry) -> dict[str, object]:
    return {"path": path, "entry": entry.encoded(), "length": entry.length, "blob": None}


def _count(on: Connection, where: ColumnElement[bool], table: Table = nodes) -> int:
    return int(on.execute(select(func.count()).select_from(table).where(where)).scalar_one())


def _require_few(on: Connection, table: Table, where: ColumnElement[bool], limit: int) -> None:
    if _count(on, where, table) >= limit:
        raise Unacceptable(Reason.LIMIT_REACHED, f"{limit} {table.name}")
