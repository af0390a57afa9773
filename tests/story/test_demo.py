"""The demo, as a newcomer runs it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORTS = (80, 443, 3000, 8080, 8443)


@pytest.mark.slow
def test_the_demo_runs_twice_while_others_hold_the_default_ports(tmp_path: Path) -> None:
    mark = tmp_path / "cache"  # in the environment of everything that the demo starts
    environment = {**os.environ, "XDG_CACHE_HOME": str(mark)}
    with contextlib.ExitStack() as held:
        for port in DEFAULT_PORTS:
            with contextlib.suppress(OSError):  # held by another program already: as good
                held.enter_context(socket.create_server(("127.0.0.1", port)))
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-m", "enarx", "demo"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert ("", 0) == (done.stderr, done.returncode)
            assert [f"{n}." for n in range(1, 8)] == [
                line[:2] for line in done.stdout.splitlines() if line[:1].isdigit()
            ]
            assert 5 == done.stdout.count(" -> una")  # unauthentic or unacceptable
        assert [] == marked(str(mark).encode())


def marked(mark: bytes) -> list[int]:
    """Every process that has these bytes in its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def test_without_examples_it_says_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "enarx", "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("enarx: file-unreadable: examples: no examples")
    assert done.stderr.splitlines()[1].startswith("hint: ")
