# SPDX-License-Identifier: Apache-2.0
"""Opening the catalog's database: SQLite in a file, or PostgreSQL; the same code on both."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from enarx.errors import Misused, Reason, Undetermined

_LOCK = 0x656E617278  # "enarx": the advisory lock that orders writers of one PostgreSQL database


def connect(url: str) -> Engine:
    """The database at a SQLAlchemy URL, its tables up to date."""
    try:
        engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
        raise Misused(
            Reason.UNKNOWN_VALUE, "database URL", hint="sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _immediately)
    try:
        _upgrade(engine)
    except OperationalError as error:
        raise Undetermined(Reason.UNREACHABLE, f"database: {str(error.orig).splitlines()[0]}") from None
    return engine


def sqlite(file: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{file}"


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction; writers follow one another, so that rows and files change together."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield connection


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Single statements, each on its own."""
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_immediately`
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _immediately(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
