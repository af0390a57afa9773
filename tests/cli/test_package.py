# SPDX-License-Identifier: Apache-2.0
"""Packages at the command line: published, seen, fetched, signed, and refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from enarx.cli.reach import local
from enarx.workload import signature
from enarx.workload.package import bare


@pytest.fixture
def repository(enarx: Any, store: Any) -> str:
    spec = f"{store.user}/app"
    assert enarx("user", "register", store.user, "--subject", "alice", **store.environment).code == 0
    assert enarx("repo", "register", spec, "--private", **store.environment).code == 0
    return spec


def test_what_is_published_is_seen_and_fetched(
    enarx: Any, store: Any, repository: str, folder: Path, tmp_path: Path
) -> None:
    package = local(folder)
    spec = f"{repository}:1.0.0"
    said = enarx("package", "publish", spec, folder, **store.environment)
    assert (said.code, said.out, said.err) == (0, package.digest.hex() + "\n", "")
    seen = enarx("package", "info", spec, **store.environment)
    assert json.loads(seen.out) == package.entry.table()
    assert json.loads(enarx("repo", "info", repository, **store.environment).out) == {
        "config": {"public": False},
        "tags": ["1.0.0"],
    }
    out = tmp_path / "out"
    fetched = enarx("package", "fetch", spec, out, "--digest", package.digest.hex(), "--json", **store.environment)
    assert json.loads(fetched.out) == {"digest": package.digest.hex(), "folder": str(out)}
    assert local(out) == package
    assert enarx("package", "fetch", spec, out, **store.environment).code == 2


def test_a_bare_module_is_published_as_the_package_it_stands_for(
    enarx: Any, store: Any, repository: str, folder: Path, module: bytes
) -> None:
    said = enarx("package", "publish", f"{repository}:1.0.0", folder / "main.wasm", "--json", **store.environment)
    assert json.loads(said.out)["digest"] == bare(module).digest.hex()


def test_another_package_than_the_one_asked_for_is_refused_and_nothing_is_written(
    enarx: Any, store: Any, repository: str, folder: Path, tmp_path: Path
) -> None:
    enarx("package", "publish", f"{repository}:1.0.0", folder, **store.environment)
    out = tmp_path / "out"
    said = enarx("package", "fetch", f"{repository}:1.0.0", out, "--digest", "00" * 32, **store.environment)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("enarx: digest-mismatch: root directory: not the package 0000")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app", "ca.pem"]


def test_what_a_local_package_holds_asks_for_and_gets(enarx: Any, folder: Path) -> None:
    found = json.loads(enarx("package", "info", folder, "--json").out)
    assert found["digest"] == local(folder).digest.hex()
    assert [one["path"] for one in found["files"]] == ["Enarx.toml", "data/table.bin", "main.wasm"]
    assert (found["entry"], found["imports"], found["grants"], found["notes"]) == (
        "_start",
        [],
        ["fd 0: stdout"],
        ["Enarx.toml grants standard output, and the module imports nothing that could use it"],
    )
    assert "grants   fd 0: stdout\n" in enarx("package", "info", folder).out


def test_what_does_not_fit_is_noted(enarx: Any, folder: Path) -> None:
    name, field = b"\x03env", b"\x04open"
    imported = b"\x01" + name + field + b"\x00\x00"
    module = b"\0asm\1\0\0\0" + b"\x01\x04\x01\x60\0\0" + b"\x02" + bytes([len(imported)]) + imported
    (folder / "main.wasm").write_bytes(module)
    (folder / "Enarx.toml").write_text('[[files]]\nkind = "listen"\nname = "web"\nprot = "tcp"\n')
    found = json.loads(enarx("package", "info", folder, "--json").out)
    assert found["imports"] == ["env.open"]
    assert found["grants"] == ["fd 0: web: listen on :: port 80, tcp"]
    assert found["notes"] == [
        "a Keep has no env.open",
        "Enarx.toml grants a socket that listens, and the module accepts no connections",
        "no export named _start: it cannot be run",
    ]


def test_a_component_is_looked_at_like_a_module(enarx: Any, folder: Path) -> None:
    from tests.runtime.components import by_hand

    (folder / "main.wasm").write_bytes(by_hand("hello"))
    (folder / "Enarx.toml").write_text('args = ["x"]\n[network.outgoing]\n"a.example" = { prot = "tcp" }\n')
    found = json.loads(enarx("package", "info", folder, "--json").out)
    assert (True, "wasi:cli/run@0.2.0") == (found["component"], found["entry"])
    assert "wasi:cli/stdout@0.2.0.get-stdout" in found["imports"]
    unused = ("connections at run time", "arguments")
    expected = [f"Enarx.toml grants {what}, and the component imports nothing that could use it" for what in unused]
    assert expected == found["notes"]


def test_a_signed_package_is_published_with_its_signature(
    enarx: Any, store: Any, repository: str, folder: Path, tmp_path: Path
) -> None:
    key, jws = tmp_path / "key.pem", tmp_path / "app.jws"
    assert enarx("key", "sev", "create", "--out", key).code == 0
    assert enarx("package", "sign", folder, "--key", key, "--security-version", "7", "--out", jws).code == 0
    from enarx.cli.key import read_ec

    signed = signature.verify(jws.read_bytes(), (read_ec(key).public_key(),), minimum_security_version=7)
    assert (signed.package, signed.security_version) == (local(folder).digest, 7)
    spec = f"{repository}:1.0.0"
    assert enarx("package", "publish", spec, folder, "--signature", jws, **store.environment).code == 0
    assert json.loads(enarx("package", "info", spec, **store.environment).out) == local(folder).entry.table()
    (folder / "more").write_bytes(b"")
    refused = enarx("package", "publish", f"{repository}:1.0.1", folder, "--signature", jws, **store.environment)
    assert (refused.code, refused.err) == (2, f"enarx: digest-mismatch: {jws}: signs another package\n")


@pytest.mark.parametrize(
    ("arguments", "code", "err"),
    [
        (("package", "info", "a:1"), 2, "enarx: syntax: 'a:1': not of the form [HOST/]USER/REPO:TAG\n"),
        (("package", "info", "u/r:1.0"), 2, "enarx: syntax: 'u/r:1.0': not of the form [HOST/]USER/REPO:TAG\n"),
        (("package", "info", "ftp://h/u/r"), 2, "enarx: usage: 'ftp://h/u/r': unsupported scheme\n"),
        (("package", "publish", "u/r:1.0.0", "nowhere"), 2, "enarx: file-unreadable: nowhere: no such file"),
        (("package", "fetch", "u/r:1.0.0", "x", "--digest", "12"), 4, "enarx: wrong-length: --digest: 1 bytes"),
    ],
)
def test_wrong_questions_have_one_line(enarx: Any, arguments: tuple[str, ...], code: int, err: str) -> None:
    said = enarx(*arguments)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith(err)


def test_files_that_no_package_may_hold_are_named(enarx: Any, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wasm"
    other.write_bytes(b"")
    said = enarx("package", "publish", "u/r:1.0.0", other)
    assert (said.code, said.err.splitlines()[0]) == (2, f"enarx: syntax: invalid file name: {other}")
    (folder / "bad file").write_bytes(b"")
    said = enarx("package", "publish", "u/r:1.0.0", folder)
    assert (said.code, said.err.splitlines()[0]) == (2, "enarx: syntax: invalid file name: 'bad file'")
    (folder / "bad file").unlink()
    (folder / "link").symlink_to("/etc/passwd")
    said = enarx("package", "publish", "u/r:1.0.0", folder)
    assert (said.code, said.err) == (2, f"enarx: unknown-kind: {folder / 'link'}: neither a file nor a folder\n")


def test_an_enarx_toml_that_no_keep_would_read_is_not_published(enarx: Any, folder: Path) -> None:
    (folder / "Enarx.toml").write_text("arguments = []\n")
    said = enarx("package", "publish", "u/r:1.0.0", folder)
    assert said.code == 2
    assert "Enarx.toml" in said.err
    assert "arguments" in said.err


def test_what_is_not_there_is_said(enarx: Any, store: Any, repository: str) -> None:
    said = enarx("package", "info", f"{repository}:9.9.9", **store.environment)
    assert (said.code, said.err) == (1, f"enarx: not-found: {store.host}: Not found\n")
    said = enarx("package", "info", f"{repository}:9.9.9", ENARX_CA_BUNDLE=str(store.ca))
    assert (said.code, said.err) == (1, f"enarx: unauthenticated: {store.host}: Bearer token header missing\n")
