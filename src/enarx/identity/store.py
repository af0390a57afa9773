# SPDX-License-Identifier: Apache-2.0
"""The door to the Steward's database: SQLite embedded, PostgreSQL for real use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from enarx.errors import Misused, Reason, Undetermined
from enarx.identity.schema import METADATA, TREE

HINT = "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"


def connect(url: str) -> Engine:
    """An engine; `Misused` for a URL that is neither SQLite's nor PostgreSQL's. Nothing is opened yet."""
    postgres = url.startswith("postgresql")
    arguments: dict[str, Any] = (
        {"pool_size": 4, "max_overflow": 4, "pool_timeout": 10, "connect_args": {"connect_timeout": 5}}
        if postgres
        else {"connect_args": {"timeout": 15}}
    )
    try:
        engine = create_engine(url, **arguments)
    except (ArgumentError, ImportError, TypeError, ValueError) as error:
        raise Misused(Reason.USAGE, f"database URL: {type(error).__name__}", hint=HINT) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif not postgres:
        raise Misused(Reason.USAGE, f"database {engine.dialect.name}", hint=HINT)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, below
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def prepare(engine: Engine) -> None:
    """Tables and the log's one row, when they are not there yet. `Undetermined`: no answer."""
    try:
        with engine.begin() as connection:
            METADATA.create_all(connection)
            if connection.execute(select(TREE.c.id)).first() is None:
                connection.execute(insert(TREE).values(id=1, size=0, peaks=b"", time=0.0))
    except SQLAlchemyError as error:
        raise unreachable(error) from None


def unreachable(error: SQLAlchemyError) -> Undetermined:
    """The database does not answer; the driver's message may hold a password and is not repeated."""
    return Undetermined(Reason.UNREACHABLE, f"the steward's database ({type(error).__name__})")


def incarnations(engine: Engine, start: str) -> Callable[[Connection], str]:
    """What names the current run of the database.

    PostgreSQL: when its server started, so that a restart or a restore begins another. SQLite has
    no server; `start` is the Steward's own, the same for all its workers.
    """
    if engine.dialect.name != "postgresql":
        return lambda _: start

    def name(connection: Connection) -> str:
        known = connection.info.get("incarnation")
        if known is None:
            known = connection.execute(text("SELECT pg_postmaster_start_time()::text")).scalar_one()
            connection.info["incarnation"] = known
        return str(known)

    return name
