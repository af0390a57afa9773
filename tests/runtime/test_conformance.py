# SPDX-License-Identifier: Apache-2.0
"""WASI preview 1 by its functions: the same program, in memory, in a real folder and in a sealed volume."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

from examples.build import build_source

PROGRAMS = Path(__file__).parent / "programs"
SEALED = '[sealed]\nseal = "tenant"\nbind = "launch"\nrollback = "not detected"\n'
STREAMS = 'files = [{ kind = "stdin" }, { kind = "stdout" }, { kind = "stderr" }]\n'


def enarx(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "enarx", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("place", ["memory", "folder", "sealed"])
def test_every_function_answers_as_the_specification_and_posix_have_it(place: str, tmp_path: Path) -> None:
    program = build_source(PROGRAMS / "conform.c")
    match place:
        case "memory":
            ran = enarx(program, "--", "tmp")
        case "folder":
            ran = enarx(program, f"--dir={tmp_path}::/", "--", ".")
            assert [] == list(tmp_path.iterdir())
        case _:
            (tmp_path / "Enarx.toml").write_text(STREAMS + SEALED)
            sealed = ("--sealed", tmp_path / "volume", "--sealed-root", tmp_path / "root")
            ran = enarx(program, "--wasmcfgfile", tmp_path / "Enarx.toml", *sealed, "--", "sealed")
    assert ran.stdout.endswith(" asked, 0 failed\n"), ran.stdout + ran.stderr
    assert 0 == ran.returncode
    assert int(ran.stdout.split()[0]) > 1400


COUNTS = """(module
  (import "wasi_snapshot_preview1" "{name}" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (call $exit (i32.load (i32.const 0)))))"""


def counts(name: str, folder: Path) -> Path:
    module = folder / f"{name}.wasm"
    module.write_bytes(wasmtime.wat2wasm(COUNTS.format(name=name)))
    return module


def test_the_environment_is_what_was_typed_and_nothing_else(tmp_path: Path) -> None:
    module = counts("environ_sizes_get", tmp_path)
    assert 0 == enarx(module).returncode
    assert 3 == enarx(module, "--env", "a=text", "--env", 'b=escap " ing', "--env", "c=new\nline").returncode
    (tmp_path / "Enarx.toml").write_text(STREAMS)
    assert 2 == enarx(module, "--wasmcfgfile", tmp_path / "Enarx.toml").returncode


def test_arguments_follow_the_program_s_name(tmp_path: Path) -> None:
    module = counts("args_sizes_get", tmp_path)
    assert 1 == enarx(module).returncode
    assert 4 == enarx(module, "--", "first", 'the "second" arg', "3").returncode


NOT_OPEN = """(module
  (import "wasi_snapshot_preview1" "sock_shutdown" (func $shutdown (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (call $shutdown (i32.const 3) (i32.const 1)))))"""


def test_nothing_is_open_that_nobody_asked_for(tmp_path: Path) -> None:
    """A module without paths gets no folder: its descriptor 3 is not open."""
    (tmp_path / "m.wasm").write_bytes(wasmtime.wat2wasm(NOT_OPEN))
    assert 8 == enarx(tmp_path / "m.wasm").returncode
