# SPDX-License-Identifier: Apache-2.0
"""Policies in force: of files at the start, of the database while running; every version is kept.

A version accepts from `since` until `until`. While two versions of one name overlap, evidence
that either accepts is accepted: that is how old and new images run side by side during an
update. A name that the database has takes the place of a file's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Engine, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from enarx.appraisal import policy as policy_
from enarx.errors import Misused, Reason, Unacceptable
from enarx.identity.authority import Terms
from enarx.identity.rule import Rule
from enarx.identity.schema import POLICY
from enarx.identity.store import reading

EVERY = 1.0
"""Seconds after which a worker has heard of a change that another one made."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy as an administrator proposes it.

    text      the policy file
    lifetime  hours
    overlap   seconds during which the version before it accepts too, once it is in force
    """

    text: str
    lifetime: float = 24.0
    dns: tuple[str, ...] = ()
    overlap: float = 0.0


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a policy in the history. `since` None: it waits for another person's approval."""

    id: int
    name: str
    digest: str
    proposed_by: str
    proposed: float
    approved_by: str
    since: float | None
    until: float | None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its text and what it grants (`Proposal`)."""

    version: Version
    text: str
    lifetime: float
    dns: tuple[str, ...]
    overlap: float


class Rulebook:
    """One tenant's policies."""

    def __init__(self, engine: Engine, tenant: str, files: Mapping[str, Rule], *, persons: int) -> None:
        """`persons`: how many have to want a change, 1 or 2."""
        self._engine = engine
        self._tenant = tenant
        self._files = files
        self._persons = persons
        self._versions: tuple[tuple[Any, Rule], ...] = ()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Follow the database from here on."""
        await asyncio.to_thread(self.refresh)
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow it no more."""
        if self._task is not None:
            self._task.cancel()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            with contextlib.suppress(SQLAlchemyError):
                await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Read what is in force, and what will be."""
        wanted = select(POLICY).where(POLICY.c.tenant == self._tenant, POLICY.c.since.is_not(None))
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(POLICY.c.id.desc())).all()
        known = {row.id: rule for row, rule in self._versions}
        self._versions = tuple((row, known.get(row.id) or _rule(row.text, row.terms)) for row in rows)

    def names(self) -> list[str]:
        """Every policy's name."""
        return sorted({*self._files, *(row.name for row, _ in self._versions)})

    def in_force(self, name: str, when: datetime) -> tuple[Rule, ...]:
        """The versions that accept now, newest first; none for a policy that was retired or never was."""
        if not self._known(name):
            return (self._files[name],) if name in self._files else ()
        return tuple(rule for row, rule in self._versions if row.name == name and _accepts(row, when))

    def for_workload(self, package: bytes, when: datetime) -> str:
        """The one policy that lists this package; `Unacceptable` when none does, `Misused` when several do."""
        listed = package.hex()
        found = [name for name in self.names() if any(_lists(rule, listed) for rule in self.in_force(name, when))]
        if len(found) == 1:
            return found[0]
        hint = f"name one of: {', '.join(found or self.names())}"
        if found:
            raise Misused(Reason.MISSING, "policy: several list this workload", hint=hint)
        raise Unacceptable(Reason.WORKLOAD_MISMATCH, "no policy lists this workload, and none was named", hint=hint)

    def history(self) -> list[Version]:
        """Every version that was ever proposed, newest first."""
        wanted = select(POLICY).where(POLICY.c.tenant == self._tenant).order_by(POLICY.c.id.desc())
        with reading(self._engine) as connection:
            rows = connection.execute(wanted).all()
        return [_version(row) for row in rows]

    def versions(self, when: datetime) -> list[Version]:
        """What accepts now, by name; a policy of a file has the number 0."""
        found = [_of_file(name, rule) for name, rule in self._files.items() if not self._known(name)]
        found += [_version(row) for row, _ in self._versions if _accepts(row, when)]
        return sorted(found, key=lambda one: (one.name, -one.id))

    def document(self, key: str, when: datetime) -> Document:
        """A version by its number, or the newest that accepts under a name. `Misused`: there is none."""
        if key.isdecimal() and len(key) < 19:
            wanted = select(POLICY).where(POLICY.c.tenant == self._tenant, POLICY.c.id == int(key))
            with reading(self._engine) as connection:
                row = connection.execute(wanted).first()
        else:
            row = next((row for row, _ in self._versions if row.name == key and _accepts(row, when)), None)
            if row is None and key in self._files and not self._known(key):
                rule = self._files[key]
                return _document(_of_file(key, rule), rule.text, rule.terms, 0.0)
        if row is None:
            raise Misused(Reason.NOT_FOUND, f"policy {key!r}")
        said = msgspec.json.decode(row.terms, type=Proposal)
        return _document(_version(row), row.text, _terms(said), said.overlap)

    def _known(self, name: str) -> bool:
        return any(row.name == name for row, _ in self._versions)

    def propose(self, proposal: Proposal, person: str, *, when: datetime) -> Version:
        """A new version: in force at once, or when a second person approves. `Misused`: not a policy."""
        loaded = policy_.load(proposal.text.encode(), "policy")
        row = {
            "tenant": self._tenant,
            "name": loaded.policy.name,
            "text": proposal.text.encode(),
            "terms": msgspec.json.encode(msgspec.structs.replace(proposal, text="")),
            "proposed_by": person,
            "proposed": when.timestamp(),
            "approved_by": "",
            "since": None,
            "until": None,
        }
        with self._engine.begin() as connection:
            (key,) = connection.execute(insert(POLICY).returning(POLICY.c.id), row).one()
            if self._persons == 1:
                _enforce(connection, key, self._tenant, proposal, person, loaded.policy.name, when)
        return self._one(key)

    def approve(self, key: int, person: str, *, when: datetime) -> Version:
        """The second person's word. `Unacceptable` from the one who proposed it."""
        with self._engine.begin() as connection:
            wanted = select(POLICY).where(POLICY.c.id == key, POLICY.c.tenant == self._tenant).with_for_update()
            row = connection.execute(wanted).first()
            if row is None:
                raise Misused(Reason.NOT_FOUND, f"policy version {key}")
            if row.since is not None:
                raise Misused(Reason.ALREADY_EXISTS, f"policy version {key} was approved")
            if row.proposed_by == person:
                raise Unacceptable(Reason.FORBIDDEN, "approval", hint="another person than who proposed it approves")
            proposal = msgspec.json.decode(row.terms, type=Proposal)
            _enforce(connection, key, self._tenant, proposal, person, row.name, when)
        return self._one(key)

    def retire(self, name: str, *, when: datetime) -> None:
        """Nothing is accepted under this name any more."""
        ending = update(POLICY).where(POLICY.c.tenant == self._tenant, POLICY.c.name == name, _open(when))
        with self._engine.begin() as connection:
            if not connection.execute(ending.values(until=when.timestamp())).rowcount:
                raise Misused(Reason.NOT_FOUND, f"policy {name!r}", hint="one of a file ends with the file")
        self.refresh()

    def _one(self, key: int) -> Version:
        self.refresh()
        return next(one for one in self.history() if one.id == key)


def _lists(rule: Rule, package: str) -> bool:
    listed = rule.policy.policy.workload
    return not isinstance(listed, str) and package in listed


def _open(when: datetime) -> Any:
    return POLICY.c.since.is_not(None) & or_(POLICY.c.until.is_(None), POLICY.c.until > when.timestamp())


def _enforce(
    connection: Any, key: int, tenant: str, proposal: Proposal, person: str, name: str, when: datetime
) -> None:
    """Put a version in force; those before it end when the overlap does."""
    now = when.timestamp()
    before = update(POLICY).where(POLICY.c.tenant == tenant, POLICY.c.name == name, POLICY.c.id != key, _open(when))
    connection.execute(before.values(until=now + proposal.overlap))
    connection.execute(update(POLICY).where(POLICY.c.id == key).values(since=now, approved_by=person))


def _accepts(row: Any, when: datetime) -> bool:
    now = when.timestamp()
    return bool(row.since <= now and (row.until is None or now < row.until))


def _rule(text: bytes, terms: bytes) -> Rule:
    return Rule(policy_.load(text, "policy"), _terms(msgspec.json.decode(terms, type=Proposal)), text)


def _terms(said: Proposal) -> Terms:
    return Terms(lifetime=timedelta(hours=said.lifetime), dns=said.dns)


def _document(version: Version, text: bytes, terms: Terms, overlap: float) -> Document:
    hours = terms.lifetime / timedelta(hours=1)
    return Document(version=version, text=text.decode(), lifetime=hours, dns=terms.dns, overlap=overlap)


def _of_file(name: str, rule: Rule) -> Version:
    return Version(
        id=0,
        name=name,
        digest=rule.policy.digest.hex(),
        proposed_by="a file",
        proposed=0.0,
        approved_by="",
        since=0.0,
        until=None,
    )


def _version(row: Any) -> Version:
    return Version(
        id=row.id,
        name=row.name,
        digest=policy_.load(row.text, "policy").digest.hex(),
        proposed_by=row.proposed_by,
        proposed=row.proposed,
        approved_by=row.approved_by,
        since=row.since,
        until=row.until,
    )
