# SPDX-License-Identifier: Apache-2.0
"""The catalog on SQLite and on PostgreSQL: names are owned, tags never change, nothing is half there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from enarx.codec.digest import sha256
from enarx.errors import Misused, Reason, Unacceptable, Undetermined
from enarx.registry import database
from enarx.registry.catalog import Catalog
from enarx.registry.schema import metadata
from enarx.registry.store import Blobs
from enarx.workload.package import Package, build
from enarx.workload.tree import DIRECTORY, ENTRY, parse_directory, weigh

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
PACKAGE = build({"main.wasm": b"\0asm\1\0\0\0", "data/a": b"a", "data/b": b"b"})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return database.sqlite(tmp_path / "catalog.sqlite")
    server = request.getfixturevalue("postgres")
    name = f"t{abs(hash(tmp_path)):x}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as on:
        on.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def engine(url: str) -> Any:
    opened = database.connect(url)
    yield opened
    opened.dispose()


@pytest.fixture
def catalog(engine: Any) -> Catalog:
    made = Catalog(engine)
    made.create_user("alice", "test|alice")
    made.create_repository("alice", "app", public=False)
    return made


def nothing() -> None:
    """Keep no blob."""


def put_tag(catalog: Catalog, package: Package = PACKAGE, name: str = "1.0.0") -> int:
    repository = catalog.repository("alice", "app").id
    catalog.create_tag(repository, name, package.entry.encoded(), ENTRY, package.entry, when=WHEN)
    return catalog.tag(repository, name).id


def fill(catalog: Catalog, tag: int, path: str, package: Package = PACKAGE) -> None:
    raw = package.nodes[path] if path else package.root
    directory = not path or package.entries()[path].type == DIRECTORY
    below = parse_directory(raw) if directory else {}
    catalog.fill(tag, path, sha256(raw), below, package=None if path else sha256(raw), keep=nothing)


def refused(call: Callable[[], object]) -> Reason:
    with pytest.raises(Unacceptable) as error:
        call()
    return error.value.reason


def test_the_tables_are_the_schemas(engine: Any) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as on:
        assert compare_metadata(MigrationContext.configure(on), metadata) == []


def test_opening_again_changes_nothing(url: str, catalog: Catalog) -> None:
    again = Catalog(database.connect(url))
    assert again.subject("alice") == "test|alice"


def test_a_tag_is_whole_when_its_last_node_has_come(catalog: Catalog) -> None:
    tag = put_tag(catalog)
    repository = catalog.repository("alice", "app").id
    for path in ("", *PACKAGE.entries()):
        assert not catalog.tag(repository, "1.0.0").whole
        assert catalog.node(tag, path).blob is None
        fill(catalog, tag, path)
    found = catalog.tag(repository, "1.0.0")
    assert (found.whole, found.package, found.content) == (True, PACKAGE.digest, PACKAGE.entry.encoded())
    assert catalog.node(tag, "data/a").entry == weigh(b"a", "application/octet-stream")
    assert catalog.stored("test|alice") == len(PACKAGE.root) + sum(len(raw) for raw in PACKAGE.nodes.values())


def test_names_are_taken_once(catalog: Catalog) -> None:
    put_tag(catalog)
    for again in (
        lambda: catalog.create_user("alice", "test|bob"),
        lambda: catalog.create_repository("alice", "app", public=True),
        lambda: put_tag(catalog),
    ):
        assert refused(again) == Reason.ALREADY_EXISTS
    assert catalog.subject("alice") == "test|alice"


def test_a_node_comes_once_and_after_its_directory(catalog: Catalog) -> None:
    tag = put_tag(catalog)
    assert refused(lambda: fill(catalog, tag, "main.wasm")) == Reason.NOT_FOUND
    fill(catalog, tag, "")
    fill(catalog, tag, "main.wasm")
    assert refused(lambda: fill(catalog, tag, "main.wasm")) == Reason.ALREADY_EXISTS
    assert refused(lambda: fill(catalog, tag, "data/a")) == Reason.NOT_FOUND


def test_a_blob_that_could_not_be_kept_leaves_no_row(catalog: Catalog) -> None:
    tag = put_tag(catalog)

    def full() -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        catalog.fill(tag, "", PACKAGE.digest, parse_directory(PACKAGE.root), package=None, keep=full)
    assert catalog.node(tag, "").blob is None
    fill(catalog, tag, "")


def test_a_yanked_version_stays_spent_and_an_unfinished_one_does_not(catalog: Catalog) -> None:
    repository = catalog.repository("alice", "app").id
    tag, dropped = put_tag(catalog), []
    fill(catalog, tag, "")
    catalog.delete_tag(repository, "1.0.0", dropped.append, unfinished_only=True)
    assert dropped == [PACKAGE.digest]
    tag = put_tag(catalog)
    for path in ("", *PACKAGE.entries()):
        fill(catalog, tag, path)
    assert (
        refused(lambda: catalog.delete_tag(repository, "1.0.0", dropped.append, unfinished_only=True))
        == Reason.ALREADY_EXISTS
    )
    catalog.delete_tag(repository, "1.0.0", dropped.append, unfinished_only=False)
    assert catalog.tags(repository) == []
    assert refused(lambda: put_tag(catalog)) == Reason.ALREADY_EXISTS
    assert refused(lambda: catalog.tag(repository, "1.0.0")) == Reason.NOT_FOUND


def test_a_blob_that_another_tag_names_is_not_dropped(catalog: Catalog) -> None:
    repository, dropped = catalog.repository("alice", "app").id, []
    for name in ("1.0.0", "1.0.1"):
        tag = put_tag(catalog, name=name)
        for path in ("", *PACKAGE.entries()):
            fill(catalog, tag, path)
    catalog.delete_tag(repository, "1.0.0", dropped.append, unfinished_only=False)
    assert dropped == []
    catalog.delete_tag(repository, "1.0.1", dropped.append, unfinished_only=False)
    assert len(dropped) == 1 + len(PACKAGE.nodes)


def test_of_many_at_once_one_wins(catalog: Catalog) -> None:
    tag = put_tag(catalog)
    kept: list[int] = []

    def race(number: int) -> str:
        try:
            catalog.fill(
                tag, "", PACKAGE.digest, parse_directory(PACKAGE.root), package=None, keep=lambda: kept.append(number)
            )
        except Unacceptable as error:
            return str(error.reason)
        return "won"

    with ThreadPoolExecutor(8) as pool:
        ends = sorted(pool.map(race, range(8)))
    assert ends == ["already-exists"] * 7 + ["won"]
    assert len(kept) == 1


def test_nobody_takes_all_names(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    put_tag(catalog)
    for limit in ("MAX_USERS", "MAX_REPOSITORIES", "MAX_TAGS"):
        monkeypatch.setattr(f"enarx.registry.catalog.{limit}", 1)
    catalog.create_user("bob", "test|bob")
    for more in (
        lambda: catalog.create_user("alice2", "test|alice"),
        lambda: catalog.create_repository("alice", "more", public=True),
        lambda: put_tag(catalog, name="2.0.0"),
    ):
        assert refused(more) == Reason.LIMIT_REACHED


def test_a_quota_counts_what_came_meanwhile(catalog: Catalog) -> None:
    tag = put_tag(catalog)

    def full(on: Any) -> None:
        assert catalog.stored("test|alice", on) == len(PACKAGE.root)
        raise Unacceptable(Reason.TOO_LARGE, "quota")

    with pytest.raises(Unacceptable):
        catalog.fill(tag, "", PACKAGE.digest, {}, package=None, keep=nothing, allowed=full)
    assert catalog.stored("test|alice") == 0


def test_a_database_that_is_away_is_said() -> None:
    with pytest.raises(Undetermined) as error:
        database.connect("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
    assert error.value.reason == Reason.UNREACHABLE
    with pytest.raises(Misused):
        database.connect("oracle://x")
    with pytest.raises(Misused):
        database.connect("nonsense")


def test_a_drawbridge_on_postgresql_serves_with_several_workers(
    start_drawbridge: Any, postgres: str, cas: Any, keep_identity: Any
) -> None:
    from enarx.registry.client import connect

    running = start_drawbridge("--database", postgres, "--workers", "2")
    url = f"{running.base}/alice/app/_tag/1.0.0"
    ca = cas.tls.cert_pem.bytes()
    with connect(ca=ca, token="alice-token") as alice:
        alice.create_user(f"{running.base}/alice", "alice")
        alice.create_repository(f"{running.base}/alice/app", public=False)
        alice.publish(url, PACKAGE)
    with connect(ca=ca, identity=keep_identity(PACKAGE.digest)) as keep:
        assert keep.fetch(url, PACKAGE.digest) == PACKAGE


def test_blobs_are_whole_or_not_there(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "store")
    digest = sha256(b"abc")

    def broken() -> None:
        with blobs.incoming() as incoming:
            incoming.write(b"ab")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list((tmp_path / "store" / "incoming").iterdir()) == []
    with blobs.incoming() as incoming:
        incoming.write(b"abc")
        assert incoming.finish() == digest
        assert not blobs.path(digest).exists()
        blobs.keep(incoming, digest)
    assert blobs.read(digest) == b"abc"
    blobs.drop(digest)
    blobs.drop(digest)
    assert not blobs.path(digest).exists()
