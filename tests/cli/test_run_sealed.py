# SPDX-License-Identifier: Apache-2.0
"""What is typed wrongly to `enarx run --sealed`, `enarx run --env` and `enarx broker`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from examples.build import build

MANIFEST = Path(__file__).resolve().parents[2] / "examples" / "sealed-c" / "Enarx.toml"


def enarx(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "enarx", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--sealed", "v"), 2, "usage: --sealed and --sealed-root go together"),
        (("--sealed", "v", "--sealed-root", "r"), 2, "not-granted: --sealed: the manifest asks for no /sealed"),
        (("--wasmcfgfile", MANIFEST), 2, "not-granted: /sealed: the manifest asks for it"),
        (("--env", "novalue"), 2, "syntax: --env 'novalue'"),
        (("--env", "=x"), 2, "syntax: --env '=x'"),
    ],
)
def test_a_mistake_is_named(arguments: tuple[object, ...], code: int, said: str) -> None:
    done = enarx("run", build("sealed-c"), *arguments)
    assert code == done.returncode
    assert said in done.stderr


def test_a_root_of_another_size_and_a_volume_that_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"short")
    sealed = ("--wasmcfgfile", MANIFEST, "--sealed", tmp_path / "v", "--sealed-root", tmp_path / "root")
    assert "wrong-length" in enarx("run", build("sealed-c"), *sealed).stderr
    (tmp_path / "root").unlink()
    (tmp_path / "v" / "root").write_bytes(b"nonsense")
    done = enarx("run", build("sealed-c"), *sealed)
    assert 4 == done.returncode
    assert "Traceback" not in done.stderr


def test_the_root_is_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = ("--wasmcfgfile", MANIFEST, "--sealed", tmp_path / "v", "--sealed-root", tmp_path / "root")
    assert 0 == enarx("run", build("sealed-c"), *sealed).returncode
    assert (32, 0o600) == ((tmp_path / "root").stat().st_size, (tmp_path / "root").stat().st_mode & 0o777)


@pytest.mark.parametrize("raw", ["", "{}", '{"v":1,"root":"00","held":null}', '{"v":2,"root":"","held":null}'])
def test_a_broker_refuses_a_volume_file_that_is_none(tmp_path: Path, raw: str) -> None:
    (tmp_path / "volume").write_text(raw)
    policy = tmp_path / "policy.toml"
    subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "e"], check=True
    )
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", tmp_path / "e", "-out", tmp_path / "k"], check=True
    )
    from enarx.cli.demo import policy as demo

    policy.write_text(demo.text("p", bytes(48), [bytes(32)]))
    done = enarx(
        *("broker", "https://127.0.0.1:1", "--policy", policy),
        *("--volume", tmp_path / "volume", "--tenant-key", tmp_path / "k"),
    )
    assert done.returncode in {2, 4}, done.stderr
    assert f"{tmp_path / 'volume'}" in done.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("memory", "syntax: --limit 'memory'"),
        ("memroy=1", "unknown-key: --limit memroy"),
        ("memory=x", "syntax: --limit 'memory=x'"),
        ("memory=1.5", "syntax: --limit 'memory=1.5'"),
        ("cpu_seconds=nan", "unknown-value"),
        ("cpu_seconds=inf", "unknown-value"),
        ("memory=0", "unknown-value"),
        ("memory=-1", "unknown-value"),
    ],
)
def test_a_limit_that_is_none_is_named(typed: str, said: str) -> None:
    done = enarx("run", build("hello"), "--limit", typed)
    assert 2 == done.returncode
    assert said in done.stderr


def test_a_limit_caps_what_the_manifest_allows_and_never_raises_it(tmp_path: Path) -> None:
    manifest = tmp_path / "Enarx.toml"
    manifest.write_text('files = [{ kind = "null" }, { kind = "stdout" }]\n[limits]\nmemory = 1000\n')
    done = enarx("run", build("hello"), "--wasmcfgfile", manifest, "--limit", "memory=1000000000")
    assert (1, "") == (done.returncode, done.stdout)
    assert "limit-reached" in done.stderr
