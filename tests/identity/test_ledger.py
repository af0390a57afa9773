"""Nonces and log entries on both databases: once is once, and nothing is half done."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, select

from enarx.errors import EnarxError, Reason
from enarx.identity import store
from enarx.identity.archive import Archive
from enarx.identity.ledger import Issuance, Ledger, Nonce
from enarx.identity.merkle import Peaks, leaf_hash
from enarx.identity.schema import ENTRY, METADATA, NONCE
from enarx.identity.tiles import Tile
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        made = store.connect(f"sqlite:///{tmp_path}/steward.sqlite")
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        made = store.connect(postgres.create(f"d{secrets.token_hex(4)}"))
    store.prepare(made)
    yield made
    made.dispose()


def ledger_of(engine: Engine, start: str = "run-1") -> Ledger:
    return Ledger(engine, start)


def nonce(**changes: object) -> Nonce:
    said = {"tenant": "t", "policy": "p", "purpose": "issue", "launch": bytes(32), "expires": 1000.0}
    return Nonce(nonce=secrets.token_bytes(32), **{**said, **changes})


def issuance(number: int, time: float = 100.0) -> Issuance:
    return Issuance(
        entry=b"entry %d" % number,
        serial=secrets.token_bytes(20),
        tenant="t",
        policy="p",
        time=time,
        until=time + 1,
        technology="snp",
        measurement="",
        package=bytes(32),
        launch=bytes(32),
        platform="",
    )


def run(engine: Engine, act: Callable[[Ledger], object], start: str = "run-1") -> object:
    ledger = ledger_of(engine, start)

    async def main() -> object:
        return await act(ledger)

    try:
        return asyncio.run(main())
    finally:
        ledger.close()


def test_the_migrations_make_what_the_code_describes(engine: Engine) -> None:
    found = inspect(engine)
    for table in METADATA.sorted_tables:
        columns = {
            column["name"]: (type(column["type"].as_generic()).__name__, column["nullable"])
            for column in found.get_columns(table.name)
        }
        assert set(table.columns.keys()) == set(columns)
        for column in table.columns:
            assert column.nullable == columns[column.name][1]
        assert {index.name for index in table.indexes} == {index["name"] for index in found.get_indexes(table.name)}
        assert [column.name for column in table.primary_key] == found.get_pk_constraint(table.name)[
            "constrained_columns"
        ]
    store.prepare(engine)


def test_a_nonce_is_given_to_one_of_many_who_ask_at_once(engine: Engine) -> None:
    async def act(ledger: Ledger) -> list[object]:
        one = nonce()
        await ledger.put(one)
        return await asyncio.gather(*(ledger.spend(one.nonce, now=1.0) for _ in range(50)))

    assert [found is not None for found in run(engine, act) if found is not None] == [True]


def test_two_instances_do_not_both_get_a_nonce(engine: Engine) -> None:
    first, second = ledger_of(engine), ledger_of(engine)

    async def main() -> int:
        taken = 0
        for _ in range(20):
            one = nonce()
            await first.put(one)
            both = await asyncio.gather(first.spend(one.nonce, now=1.0), second.spend(one.nonce, now=1.0))
            taken += sum(found is not None for found in both)
        return taken

    try:
        assert asyncio.run(main()) == 20
    finally:
        first.close()
        second.close()


def test_an_expired_nonce_is_none(engine: Engine) -> None:
    async def act(ledger: Ledger) -> object:
        one = nonce(expires=10.0)
        await ledger.put(one)
        return await ledger.spend(one.nonce, now=10.5)

    assert run(engine, act) is None


def test_expired_nonces_do_not_stay_for_ever(engine: Engine) -> None:
    async def act(ledger: Ledger) -> None:
        for _ in range(10):
            await ledger.put(nonce(expires=10.0))
        await ledger.spend(bytes(32), now=5000.0)

    run(engine, act)
    with engine.connect() as connection:
        assert connection.execute(select(NONCE)).all() == []


def test_positions_have_no_gap_and_the_tree_is_that_of_the_entries(engine: Engine) -> None:
    first, second = ledger_of(engine), ledger_of(engine)

    async def main() -> list[int]:
        return await asyncio.gather(*(ledger.record(issuance(n)) for n in range(150) for ledger in (first, second)))

    try:
        positions = asyncio.run(main())
    finally:
        first.close()
        second.close()
    assert list(range(300)) == sorted(positions)
    with engine.connect() as connection:
        entries = list(connection.execute(select(ENTRY.c.entry).order_by(ENTRY.c.position)).scalars())
    peaks = Peaks()
    for entry in entries:
        peaks.append(leaf_hash(entry))
    archive = Archive(engine)
    assert peaks.root() == archive.tree().root()
    assert peaks.full[0][2] == archive.tile(Tile(1, 0, 1))


def test_a_clock_behind_the_log_does_not_issue(engine: Engine) -> None:
    async def act(ledger: Ledger) -> object:
        await ledger.record(issuance(1, time=1000.0))
        late = ledger.record(issuance(2, time=900.0))
        timely = ledger.record(issuance(3, time=990.0))
        return await asyncio.gather(late, timely, return_exceptions=True)

    late, timely = run(engine, act)
    assert isinstance(late, EnarxError)
    assert Reason.CLOCK is late.reason
    assert timely == 1


def test_nonces_of_a_restored_sqlite_file_are_none(tmp_path: Path) -> None:
    engine = store.connect(f"sqlite:///{tmp_path}/steward.sqlite")
    store.prepare(engine)
    one = nonce()

    async def put(ledger: Ledger) -> None:
        await ledger.put(one)

    async def spend(ledger: Ledger) -> object:
        return await ledger.spend(one.nonce, now=1.0)

    run(engine, put)
    assert run(engine, spend, "run-2") is None


def test_nonces_of_a_restored_postgresql_are_none(postgres: Postgres) -> None:
    """Taken by pg_dump, and put back into the running server by psql."""
    name = f"d{secrets.token_hex(4)}"
    engine = store.connect(postgres.create(name))
    store.prepare(engine)
    one = nonce()

    async def put(ledger: Ledger) -> None:
        await ledger.put(one)

    async def spend(ledger: Ledger) -> object:
        return await ledger.spend(one.nonce, now=1.0)

    run(engine, put)
    dump = postgres.run("pg_dump", "--data-only", "-t", "nonce", name)
    assert run(engine, spend) is not None
    command = [postgres.programs / "psql", "-h", postgres.folder, "-U", "enarx", "-q", name]
    subprocess.run(command, input=dump, check=True, capture_output=True)
    with engine.connect() as connection:
        assert len(connection.execute(select(NONCE)).all()) == 1
    assert run(engine, spend) is None
    engine.dispose()
