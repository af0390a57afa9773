# SPDX-License-Identifier: Apache-2.0
"""The Steward's writes, in groups: nonces made and spent, and log entries, one commit for many.

Requests hand their jobs to one thread, which does all that wait in one transaction. Whoever
waits for a job hears of it after the commit, or hears that nobody knows (`Undetermined`): then
no certificate leaves, and a nonce that may have been spent is not tried again.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from enarx.errors import EnarxError, Reason, Undetermined
from enarx.identity.merkle import Peaks, leaf_hash
from enarx.identity.schema import ENTRY, ISSUED, NODE, NONCE, TREE
from enarx.identity.store import Incarnation

MOST = 512
"""Jobs in one transaction."""
GATHER = 0.003
"""Seconds for which a group is gathered when the last one had several jobs."""
SWEEP = 30.0
"""Seconds between two removals of expired nonces."""
BACKWARDS = 60.0
"""Seconds by which instances' clocks may differ."""


class Nonce(msgspec.Struct, frozen=True, kw_only=True):
    """A nonce and what it was given for. `expires` in seconds since the epoch."""

    nonce: bytes
    tenant: str
    policy: str
    purpose: str
    launch: bytes
    expires: float


class Issuance(msgspec.Struct, frozen=True, kw_only=True):
    """What is written of a certificate before it leaves.

    entry        of the log
    serial       20 bytes
    time, until  of issue and of its end, seconds since the epoch
    measurement, platform   of the machine, hexadecimal, or ""
    package, launch         32 bytes each
    """

    entry: bytes
    serial: bytes
    tenant: str
    policy: str
    time: float
    until: float
    technology: str
    measurement: str
    package: bytes
    launch: bytes
    platform: str


class Put(msgspec.Struct, frozen=True):
    """Keep a nonce."""

    nonce: Nonce


class Spend(msgspec.Struct, frozen=True):
    """Take a nonce out, whatever becomes of the request: the answer is the nonce, or None."""

    nonce: bytes
    now: float


class Record(msgspec.Struct, frozen=True):
    """Append to the log: the answer is the entry's position."""

    issuance: Issuance


_Waiting = tuple[Put | Spend | Record | None, asyncio.AbstractEventLoop | None, "asyncio.Future[Any] | None"]


_Line = queue.SimpleQueue[_Waiting]


class Ledger:
    """The writer threads of one worker on one database.

    On PostgreSQL nonces and the log have a thread each. Nonces are in a table that a crash empties,
    so their transactions wait for no disk; those of the log wait until it cannot be lost. SQLite
    has one writer at a time, and one thread.
    """

    def __init__(self, engine: Engine, start: str) -> None:
        """`start`: this run of the Steward, the same for all its workers (`enarx.identity.store.Incarnation`)."""
        self._engine = engine
        self._incarnation = Incarnation(engine, start)
        self._swept = 0.0
        self._threads: list[tuple[_Line, threading.Thread]] = []
        self._nonces = self._line("nonces")
        self._log = self._line("log") if engine.dialect.name == "postgresql" else self._nonces

    async def put(self, nonce: Nonce) -> None:
        """Keep a nonce."""
        await self._do(Put(nonce))

    async def spend(self, nonce: bytes, *, now: float) -> Nonce | None:
        """Take a nonce: what it was given for, or None when there is none (any more)."""
        found: Nonce | None = await self._do(Spend(nonce, now))
        return found

    async def record(self, issuance: Issuance) -> int:
        """Append to the log; the entry's position, once it cannot be lost any more."""
        position: int = await self._do(Record(issuance))
        return position

    async def alive(self) -> None:
        """`Undetermined` unless the database answers."""
        await self._do(Spend(b"", 0.0))

    def close(self) -> None:
        """Finish what waits, and end."""
        for line, _ in self._threads:
            line.put((None, None, None))
        for _, thread in self._threads:
            thread.join(timeout=30)

    def _line(self, name: str) -> _Line:
        line: _Line = queue.SimpleQueue()
        thread = threading.Thread(target=self._work, args=(line,), name=f"ledger {name}", daemon=True)
        thread.start()
        self._threads.append((line, thread))
        return line

    async def _do(self, job: Put | Spend | Record) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        line = self._log if isinstance(job, Record) else self._nonces
        line.put((job, loop, future))
        return await future

    def _work(self, line: _Line) -> None:
        crowd = 1
        while True:
            waiting = [line.get()]
            if crowd > 1:
                time.sleep(GATHER)  # others are on their way: one commit for all of them costs less than two
            while len(waiting) < MOST:
                try:
                    waiting.append(line.get_nowait())
                except queue.Empty:
                    break
            jobs = [one for one in waiting if one[0] is not None]
            crowd = len(jobs)
            if jobs:
                self._transact(jobs)
            if len(jobs) < len(waiting):
                return

    def _transact(self, waiting: list[_Waiting]) -> None:
        try:
            with self._engine.begin() as connection:
                answers = self._perform(connection, [job for job, _, _ in waiting])
        except SQLAlchemyError:
            _tell(waiting, [Undetermined(Reason.UNREACHABLE, "the steward's database")] * len(waiting))
        else:
            _tell(waiting, answers)

    def _perform(self, connection: Connection, jobs: list[Put | Spend | Record | None]) -> list[Any]:
        """The jobs' answers, in their order."""
        puts = [job.nonce for job in jobs if isinstance(job, Put)]
        spends = [job for job in jobs if isinstance(job, Spend)]
        records = [job.issuance for job in jobs if isinstance(job, Record)]
        if puts:
            incarnation = self._incarnation.of_new_rows(connection)
            rows = [{**msgspec.structs.asdict(one), "incarnation": incarnation} for one in puts]
            connection.execute(insert(NONCE), rows)
        spent = self._spend(connection, spends) if spends else {}
        positions = iter(_append(connection, records) if records else ())
        answers: list[Any] = []
        for job in jobs:
            match job:
                case Spend(nonce):
                    answers.append(spent.pop(nonce, None))  # asked for twice in one group: once is given
                case Record():
                    answers.append(next(positions))
                case _:
                    answers.append(None)
        return answers

    def _spend(self, connection: Connection, spends: list[Spend]) -> dict[bytes, Nonce]:
        wanted = {one.nonce for one in spends}
        now = max(one.now for one in spends)
        taking = delete(NONCE).where(NONCE.c.nonce.in_(wanted))
        taken = connection.execute(taking.returning(NONCE, self._incarnation.column().label("due"))).all()
        if now > self._swept + SWEEP:
            self._swept = now
            connection.execute(delete(NONCE).where(NONCE.c.expires < now))
        return {
            row.nonce: Nonce(
                nonce=row.nonce,
                tenant=row.tenant,
                policy=row.policy,
                purpose=row.purpose,
                launch=row.launch,
                expires=row.expires,
            )
            for row in taken
            if row.expires > now and row.incarnation == row.due
        }


def _append(connection: Connection, issuances: list[Issuance]) -> list[int | EnarxError]:
    """Append to the log; each one's position, or why not.

    The tree's row is locked, so that positions have no gap. What is older than the log's last entry
    by more than `BACKWARDS` was issued by a clock that is wrong, and is not written.
    """
    row = connection.execute(select(TREE.c.size, TREE.c.peaks, TREE.c.time).with_for_update()).one()
    timely = [one for one in issuances if one.time >= row.time - BACKWARDS]
    answers: list[int | EnarxError] = []
    positions = iter(range(row.size, row.size + len(timely)))
    for one in issuances:
        late = one.time < row.time - BACKWARDS
        answers.append(Undetermined(Reason.CLOCK, "the steward's clock is behind its log") if late else next(positions))
    if timely:
        _write(connection, Peaks(row.size, row.peaks), timely, max(row.time, *(one.time for one in timely)))
    return answers


def _write(connection: Connection, peaks: Peaks, issuances: list[Issuance], last: float) -> None:
    entries, issued = [], []
    for one in issuances:
        leaf = leaf_hash(one.entry)
        entries.append({"position": peaks.size, "leaf": leaf, "entry": one.entry})
        peaks.append(leaf)
        row = msgspec.structs.asdict(one)
        del row["entry"]
        issued.append(row)
    connection.execute(insert(ENTRY), entries)
    connection.execute(insert(ISSUED), issued)
    if peaks.full:
        nodes = [{"level": level, "position": at, "hash": found} for level, at, found in peaks.full]
        connection.execute(insert(NODE), nodes)
    connection.execute(update(TREE).values(size=peaks.size, peaks=peaks.encoded(), time=last))


def _tell(waiting: list[_Waiting], answers: list[Any]) -> None:
    """Wake those who wait, one call for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for (_, loop, future), answer in zip(waiting, answers, strict=True):
        if loop is not None and future is not None:
            by_loop.setdefault(loop, []).append((future, answer))
    for loop, pairs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, pairs)


def _resolve(pairs: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in pairs:
        if future.done():
            continue
        if isinstance(answer, EnarxError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
