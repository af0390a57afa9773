# SPDX-License-Identifier: Apache-2.0
"""Trees at the command line."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from enarx.cli.reach import local
from enarx.workload.tree import weigh


@pytest.fixture
def spec(enarx: Any, store: Any, folder: Path) -> str:
    enarx("user", "register", store.user, "--subject", "alice", **store.environment)
    enarx("repo", "register", f"{store.user}/app", **store.environment)
    published = f"{store.user}/app:1.0.0"
    assert enarx("package", "publish", published, folder, **store.environment).code == 0
    return published


def test_the_digest_of_a_folder(enarx: Any, folder: Path) -> None:
    digest = local(folder).digest.hex()
    assert enarx("tree", "digest", folder).out == f"{digest}\n"
    assert json.loads(enarx("tree", "digest", folder, "--json").out) == {"digest": digest}


def test_single_nodes(enarx: Any, store: Any, spec: str, folder: Path, tmp_path: Path) -> None:
    table = bytes(range(256))
    entry = weigh(table, "application/octet-stream").table()
    assert json.loads(enarx("tree", "info", spec, "data/table.bin", **store.environment).out) == entry
    assert json.loads(enarx("tree", "info", spec, **store.environment).out) == local(folder).entry.table()
    assert enarx("tree", "fetch", spec, "data/table.bin", **store.environment).raw == table
    out = tmp_path / "table"
    said = enarx("tree", "fetch", spec, "data/table.bin", "--out", out, "--json", **store.environment)
    assert (json.loads(said.out), out.read_bytes()) == (entry, table)
    said = enarx("tree", "fetch", spec, "data/table.bin", "--json", **store.environment)
    assert base64.b64decode(json.loads(said.out)["content"]) == table
    assert enarx("tree", "fetch", spec, **store.environment).raw == local(folder).root


@pytest.mark.parametrize("path", ["none", "data/none", "main.wasm/x"])
def test_a_node_that_is_not_there(enarx: Any, store: Any, spec: str, path: str) -> None:
    said = enarx("tree", "fetch", spec, path, **store.environment)
    assert (said.code, said.raw) == (1, b"")
    assert said.err.startswith(f"enarx: not-found: node {path}")


def test_a_node_that_was_changed_in_the_store_is_not_printed(
    enarx: Any, store: Any, drawbridge: Any, spec: str, folder: Path
) -> None:
    from enarx.codec.digest import sha256

    digest = sha256(bytes(range(256))).hex()
    blob = drawbridge.store / "blobs" / digest[:2] / digest[2:]
    blob.write_bytes(bytes(256))
    try:
        said = enarx("tree", "fetch", spec, "data/table.bin", **store.environment)
    finally:
        blob.write_bytes(bytes(range(256)))
    assert (said.code, said.raw) == (1, b"")
    assert said.err.startswith("enarx: digest-mismatch: node data/table.bin: ")
