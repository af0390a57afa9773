# SPDX-License-Identifier: Apache-2.0
"""What is kept of requests beside the log: the last refusals, and the last requests to try policies on.

Both are bounded, whatever strangers send, and written once a second by each worker: losing the
last second of them in a crash loses nothing that anyone rests on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from enarx.errors import EnarxError
from enarx.identity.schema import AUDIT, RECENT
from enarx.identity.store import reading

EVERY = 1.0
REFUSALS, REQUESTS = 10_000, 256
"""Rows kept of each tenant."""
MOST = 256
"""Rows of each kind that one worker writes in a second."""
LONGEST = 500


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was refused: when, and why."""

    time: float
    policy: str
    technology: str
    family: str
    reason: str
    subject: str
    request: str


def refusal(error: EnarxError, said: Mapping[str, str], *, when: datetime) -> Refusal:
    """The refusal that an error is; `said`: what the log line says of the request."""
    return Refusal(
        time=when.timestamp(),
        policy=said.get("policy", ""),
        technology=said.get("technology", ""),
        family=error.family,
        reason=error.reason,
        subject=error.subject,
        request=said.get("request", ""),
    )


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A request that spent a nonce. `body`: as `enarx.identity.message.AttestRequest`, JSON."""

    time: float
    policy: str
    accepted: int
    body: bytes


class Audit:
    """Gathers what one tenant's requests came to, and writes now and then."""

    def __init__(self, engine: Engine, tenant: str) -> None:
        self._engine = engine
        self._tenant = tenant
        self._refusals: deque[Refusal] = deque(maxlen=MOST)
        self._samples: deque[Sample] = deque(maxlen=MOST // 8)
        self._task: asyncio.Task[None] | None = None

    def refused(self, refusal: Refusal) -> None:
        """Keep a refusal."""
        self._refusals.append(msgspec.structs.replace(refusal, subject=refusal.subject[:LONGEST]))

    def sampled(self, sample: Sample) -> None:
        """Keep a request."""
        self._samples.append(sample)

    async def start(self) -> None:
        """Write every second from here on."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what there is, and end."""
        if self._task is not None:
            self._task.cancel()
        with contextlib.suppress(SQLAlchemyError):
            await asyncio.to_thread(self._flush)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            with contextlib.suppress(SQLAlchemyError):  # the database is away: requests say so themselves
                await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        refusals, samples = _taken(self._refusals), _taken(self._samples)
        if refusals or samples:
            with self._engine.begin() as connection:
                self._write(connection, AUDIT, refusals, REFUSALS)
                self._write(connection, RECENT, samples, REQUESTS)

    def _write(self, connection: Connection, table: Table, rows: list[dict[str, Any]], limit: int) -> None:
        """Add rows; the oldest of the same tenant go."""
        if not rows:
            return
        connection.execute(insert(table), [{**row, "tenant": self._tenant} for row in rows])
        mine = select(table.c.id).where(table.c.tenant == self._tenant).order_by(table.c.id.desc())
        oldest = connection.execute(mine.offset(limit).limit(1)).scalar()
        if oldest is not None:
            connection.execute(delete(table).where(table.c.tenant == self._tenant, table.c.id <= oldest))

    def last_refusals(self, count: int) -> list[dict[str, Any]]:
        """The last refusals, newest first."""
        wanted = select(AUDIT).where(AUDIT.c.tenant == self._tenant).order_by(AUDIT.c.id.desc()).limit(count)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(wanted).mappings()]

    def last_requests(self, count: int) -> list[Sample]:
        """The last requests, newest first."""
        wanted = select(RECENT).where(RECENT.c.tenant == self._tenant).order_by(RECENT.c.id.desc()).limit(count)
        with reading(self._engine) as connection:
            rows = connection.execute(wanted).all()
        return [Sample(time=row.time, policy=row.policy, accepted=row.accepted, body=row.body) for row in rows]


def _taken(kept: deque[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while kept:
        found.append(msgspec.structs.asdict(kept.popleft()))
    return found
