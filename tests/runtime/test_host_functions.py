# SPDX-License-Identifier: Apache-2.0
"""Host functions under hostile arguments, in memory and through the engine."""

from __future__ import annotations

import ctypes
import struct

import pytest
import wasmtime

from enarx.runtime.engine.capi import Library, library_path
from enarx.runtime.engine.host import Bridge
from enarx.runtime.process import run
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.errno import FAULT, FROM_HOST, NAMES, NOTCAPABLE, WasiError
from enarx.runtime.wasi.fd import Descriptors
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.signature import PARAMETERS
from enarx.runtime.wasi.stream import Script
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


@pytest.mark.parametrize("where", [0, 2, 8, 4090, 4092, 4095, 4096, 1 << 31, (1 << 32) - 8, (1 << 32) - 1])
@pytest.mark.parametrize("role", ["vectors", "result", "start", "length"])
def test_the_short_way_of_reading_answers_as_the_long_way_and_stays_inside(role: str, where: int) -> None:
    short, long = (_read_at(role, where, count) for count in (1, 2))
    fault = {"vectors": where > 4096 - 8, "result": where > 4096 - 4, "start": where > 4096 - 16}
    assert (short == FAULT) is fault.get(role, where > 4096 - 256)
    assert short == long


def _read_at(role: str, where: int, count: int) -> int:
    """What `fd_read` answers with one hostile number, by the short way (one buffer) or the long (two)."""
    space = (ctypes.c_ubyte * 8192)()
    memory, table = GuestMemory(), Table(8)
    memory.attach(lambda: (ctypes.addressof(space), 4096))
    bridge = Bridge(Library(library_path()), memory, lambda _: None)
    fd = table.add(Script(b"\xaa" * 8192))
    asked = {"vectors": 64, "result": 128, "start": 256, "length": 16, role: where}
    if asked["vectors"] <= 4096 - 8:
        memory.put(asked["vectors"], struct.pack("<II", asked["start"], asked["length"]))
    if asked["vectors"] <= 4096 - 16:
        memory.put(asked["vectors"] + 8, bytes(8))
    raw = (ctypes.c_uint32 * 16)()
    for place, value in enumerate((fd, asked["vectors"], count, asked["result"])):
        raw[4 * place] = value
    call = bridge.one_buffer(table, Descriptors(memory, table).fd_read, reading=True)
    assert None is call(0, 0, ctypes.cast(raw, ctypes.POINTER(ctypes.c_uint32)), 4)
    assert not any(space[4096:])
    if raw[0] == 0:
        assert min(asked["length"], 4096) == int.from_bytes(memory.span(asked["result"], 4), "little")
    return raw[0]


def test_memory_that_grows_is_seen() -> None:

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
