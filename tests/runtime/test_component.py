"""Components of WASI 0.2: how they start and end, and how they are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import wasmtime

from enarx.errors import Reason, Unacceptable
from enarx.platform.image.contents import ROOTS
from enarx.runtime.component.world import WHERE
from enarx.runtime.process import run
from enarx.runtime.spawn import GuestProcess, spawn
from enarx.runtime.store import CodeStore
from enarx.runtime.workload import NO_STDIO, Exit, Stdio, Workload
from enarx.workload.manifest import DEFAULT
from tests.runtime.components import HERE, by_hand
from tests.runtime.test_sandbox import closed

HELLO = (HERE / "hello.wat").read_text()


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def printed(
    component: bytes, store: CodeStore | None = None, process: GuestProcess | None = None
) -> tuple[Exit, bytes]:
    """How it ended, and what it wrote to standard output."""
    read, write = os.pipe()
    ended = run(Workload(component, DEFAULT), stdio=Stdio(None, write, None), store=store, process=process)
    os.close(write)
    with os.fdopen(read, "rb") as output:
        return ended, output.read()


def test_a_command_writes_through_its_streams() -> None:
    assert (Exit(0), b"Hello from a component\n") == printed(by_hand("hello"))


def test_a_process_that_was_closed_early_runs_a_component_too() -> None:
    assert (Exit(0), b"Hello from a component\n") == printed(by_hand("hello"), process=closed(spawn()))


def test_any_version_0_2_is_accepted() -> None:
    later = wasm(HELLO.replace("@0.2.0", "@0.2.77"))
    assert (Exit(0), b"Hello from a component\n") == printed(later)


def test_a_run_that_says_it_failed_is_exit_code_1() -> None:
    failed = wasm(HELLO.replace("(i32.load8_u (i32.const 0))", "(i32.const 1)"))
    assert Exit(1) == printed(failed)[0]


def test_compiled_code_is_kept_and_used(tmp_path: Path) -> None:
    store = CodeStore(tmp_path)
    first = printed(by_hand("hello"), store)
    kept = [path for path in tmp_path.iterdir() if path.name != "key"]
    assert 1 == len(kept)
    assert first == printed(by_hand("hello"), store)


def test_code_that_somebody_else_left_is_compiled_anew(tmp_path: Path) -> None:
    store = CodeStore(tmp_path)
    printed(by_hand("hello"), store)
    (kept,) = (path for path in tmp_path.iterdir() if path.name != "key")
    raw = bytearray(kept.read_bytes())
    raw[-1] ^= 1
    kept.write_bytes(raw)
    assert (Exit(0), b"Hello from a component\n") == printed(by_hand("hello"), store)


@pytest.mark.parametrize(
    ("known", "asked", "named"),
    [
        ("wasi:cli/stdout@0.2.0", "wasi:cli/stdout@0.3.0", "wasi:cli/stdout@0.3.0"),
        ("wasi:cli/stdout@0.2.0", "my:own/thing", "my:own/thing"),
        ('"get-stdout" (func (result', '"get-gold" (func (result', "wasi:cli/stdout@0.2.0.get-gold"),
    ],
)
def test_an_import_that_no_keep_has_is_named(known: str, asked: str, named: str) -> None:
    text = HELLO.replace(known, asked)
    if "get-gold" in asked:
        text = text.replace('(func $stdout "get-stdout")', '(func $stdout "get-gold")')
    with pytest.raises(Unacceptable) as refused:
        run(Workload(wasm(text), DEFAULT), stdio=NO_STDIO)
    assert (Reason.IMPORT_UNKNOWN, named) == (refused.value.reason, refused.value.subject)


def test_a_component_without_an_entry_point_is_refused() -> None:
    with pytest.raises(Unacceptable) as refused:
        run(Workload(wasm(HELLO.replace("wasi:cli/run@0.2.0", "my:own/run")), DEFAULT), stdio=NO_STDIO)
    assert Reason.NO_ENTRY_POINT == refused.value.reason


def test_a_keep_machine_has_every_interface() -> None:
    """They are loaded by name, so what follows imports would leave them out of an image."""
    assert {f"enarx.runtime.component.{where}" for where in WHERE.values()} <= set(ROOTS)
