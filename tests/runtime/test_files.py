# SPDX-License-Identifier: Apache-2.0
"""Files: the same answers in memory, in a real folder, and from an implementation that others wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

from examples.build import build_source

PROGRAM = Path(__file__).parent / "programs" / "files.c"
# POSIX rmdir(3p): a path that ends in slashes names the folder. Wasmtime answers EINVAL after a rename.
DIFFERENT = {"rmdir with slash"}


def answers(text: str) -> dict[str, str]:
    return {name: number for name, _, number in (line.rpartition(" ") for line in text.splitlines())}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What wasmtime's own WASI answers."""
    folder = tmp_path_factory.mktemp("reference")
    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    config = wasmtime.WasiConfig()
    config.argv = ("main.wasm", "/d")
    (folder / "d").mkdir()
    config.preopen_dir(str(folder / "d"), "/d")
    config.stdout_file = str(folder / "out")
    store.set_wasi(config)
    instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(build_source(PROGRAM))))
    instance.exports(store)["_start"](store)
    return answers((folder / "out").read_text())


def ours(*arguments: str) -> dict[str, str]:
    command = [sys.executable, "-m", "enarx", "run", str(build_source(PROGRAM)), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == ""
    return answers(ran.stdout)


def without_differences(found: dict[str, str]) -> dict[str, str]:
    return {name: number for name, number in found.items() if name not in DIFFERENT}


def test_the_program_asks_enough(reference: dict[str, str]) -> None:
    assert len(reference) > 140


def test_files_in_memory_answer_as_wasmtime_does(reference: dict[str, str]) -> None:
    assert without_differences(reference) == without_differences(ours("--", "/", "tmp"))


def test_a_real_folder_answers_as_wasmtime_does(reference: dict[str, str], tmp_path: Path) -> None:
    assert without_differences(reference) == without_differences(ours(f"--dir={tmp_path}::/d", "--", "/d"))
