# SPDX-License-Identifier: Apache-2.0
"""The door to the Steward's database: SQLite embedded, PostgreSQL for real use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    String,
    create_engine,
    event,
    insert,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from enarx.errors import Misused, Reason, Undetermined
from enarx.identity.schema import TREE

HINT = "sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
_LOCK = 0x656E6172
"""The advisory lock under which a PostgreSQL database is brought up to date."""


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
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def prepare(engine: Engine) -> None:
    """Tables and the log's one row, when they are not there yet. `Undetermined`: no answer."""
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":  # instances that start together wait for each other
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _migrate(connection)
            if connection.execute(select(TREE.c.id)).first() is None:
                connection.execute(insert(TREE).values(id=1, size=0, peaks=b"", time=0.0))
    except SQLAlchemyError as error:
        raise unreachable(error) from None


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Single statements, each on its own: they wait for no writer, and no writer waits for them."""
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def unreachable(error: SQLAlchemyError) -> Undetermined:
    """The database does not answer; the driver's message may hold a password and is not repeated."""
    return Undetermined(Reason.UNREACHABLE, f"the steward's database ({type(error).__name__})")


class Incarnation:
    """Which run of the database a nonce belongs to, so that a restored copy revives none.

    PostgreSQL: when its server started, and the transaction that wrote the row: a restart begins
    another run, and a row that was copied in is another transaction's than it says. SQLite has no
    server; `start` is the Steward's own, new at every start and the same for all its workers.
    """

    def __init__(self, engine: Engine, start: str) -> None:
        self._postgres = engine.dialect.name == "postgresql"
        self._start = start

    def of_new_rows(self, connection: Connection) -> str:
        """What rows written in this transaction have."""
        if not self._postgres:
            return self._start
        wanted = "SELECT pg_postmaster_start_time()::text || '#' || pg_current_xact_id()::xid::text"
        return str(connection.execute(text(wanted)).scalar_one())

    def column(self) -> ColumnElement[str]:
        """What a row must have, as an expression over the row."""
        if not self._postgres:
            return literal(self._start)
        return literal_column("pg_postmaster_start_time()::text || '#' || nonce.xmin::text", String)
