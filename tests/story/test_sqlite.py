# SPDX-License-Identifier: Apache-2.0
"""SQLite's own speed test, compiled from Debian's unchanged source: in memory, in a real folder, in a sealed volume."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.sqlite.build_sqlite import build
from tests.parts import program, unavailable

pytestmark = pytest.mark.slow
INSIDE = "/tmp/test.db"  # noqa: S108 - the guest's own, in memory
SEALED = """files = [{ kind = "null" }, { kind = "stdout" }, { kind = "stderr" }]
[sealed]
seal = "tenant"
bind = "launch"
rollback = "not detected"
"""


@pytest.fixture(scope="module")
def speedtest() -> Path:
    program("tclsh", "tcl")
    if shutil.which("apt-get") is None:
        unavailable("apt")
    return build()


def run(*arguments: object) -> list[str]:
    command = [sys.executable, "-m", "enarx", "run", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    return ran.stdout.splitlines()


@pytest.mark.parametrize("place", ["memory", "folder", "sealed"])
def test_the_speed_test_comes_to_its_end(place: str, speedtest: Path, tmp_path: Path) -> None:
    match place:
        case "memory":
            lines = run(speedtest, "--", "--size", "3", "--verify", INSIDE)
        case "folder":
            lines = run(speedtest, f"--dir={tmp_path}::/d", "--", "--size", "3", "--verify", "/d/test.db")
            assert (tmp_path / "test.db").read_bytes().startswith(b"SQLite format 3\0")
        case _:
            (tmp_path / "Enarx.toml").write_text(SEALED)
            sealed = ("--sealed", tmp_path / "volume", "--sealed-root", tmp_path / "root")
            where = ("--wasmcfgfile", tmp_path / "Enarx.toml", *sealed)
            lines = run(speedtest, *where, "--", "--size", "1", "--verify", "/sealed/test.db")
    assert any("TOTAL" in line for line in lines)
    assert any("integrity_check" in line for line in lines)
