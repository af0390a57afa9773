# SPDX-License-Identifier: Apache-2.0
"""Host functions under hostile arguments, in memory and through the engine."""

from __future__ import annotations

import pytest
import wasmtime

from enarx.runtime.engine.capi import Library, library_path
from enarx.runtime.process import run
from enarx.runtime.wasi.errno import FAULT, FROM_HOST, NAMES, NOTCAPABLE, WasiError
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.signature import PARAMETERS
from enarx.runtime.workload import NO_STDIO, Exit, Workload
from enarx.workload.manifest import DEFAULT
from fuzz.host import SIZE, Guest, target


@pytest.mark.parametrize("seed", range(100))
def test_hostile_arguments_are_answered_and_nothing_outside_is_touched(seed: int) -> None:
    target(b"seed" + seed.to_bytes(2, "little"))


def test_the_fuzz_target_reaches_functions_that_succeed() -> None:
    guest = Guest(bytes(16))
    assert 0 == guest.function("path_create_directory")(4, 100, 5)
    assert 0 == guest.function("clock_time_get")(1, 0, SIZE - 8)
    guest.close()


def test_every_pointer_at_the_edge_is_checked() -> None:
    guest = Guest(b"")
    for pointer in (SIZE - 7, SIZE, 1 << 31, (1 << 32) - 1):
        with pytest.raises(WasiError) as caught:
            guest.function("clock_time_get")(1, 0, pointer)
        assert FAULT == caught.value.number
    guest.close()


def test_memory_that_grows_is_seen() -> None:
    import ctypes

    space = (ctypes.c_ubyte * 128)()
    sizes = [64]
    memory = GuestMemory()
    memory.attach(lambda: (ctypes.addressof(space), sizes[0]))
    with pytest.raises(WasiError):
        memory.put_word(100, 7)
    sizes[0] = 128
    memory.put_word(100, 7)
    assert (7, 128) == (space[100], memory.size)


def test_the_specification_has_46_functions_and_76_errors() -> None:
    assert (46, NOTCAPABLE - 1) == (len(PARAMETERS), len(NAMES))
    assert (44, 20, 8) == (FROM_HOST[2], FROM_HOST[17], FROM_HOST[9])


def test_a_function_called_while_the_instance_starts_sees_its_memory() -> None:
    """AssemblyScript's older compilers call WASI from the wasm start section."""
    text = """
    (module
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func $early (if (call $sizes (i32.const 0) (i32.const 4)) (then unreachable)))
      (start $early)
      (func (export "_start") (call $exit (i32.load (i32.const 0)))))
    """
    assert Exit(1) == run(Workload(bytes(wasmtime.wat2wasm(text)), DEFAULT), stdio=NO_STDIO)


def test_a_module_without_memory_gets_faults() -> None:
    text = """
    (module
      (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (func (export "_start") (call $exit (call $sizes (i32.const 0) (i32.const 4)))))
    """
    assert Exit(FAULT) == run(Workload(bytes(wasmtime.wat2wasm(text)), DEFAULT), stdio=NO_STDIO)


def test_the_engine_library_is_the_package_s() -> None:
    assert library_path().endswith("_libwasmtime.so")
    with pytest.raises(KeyError):
        _ = Library(library_path()).wasm_engine_delete
