# SPDX-License-Identifier: Apache-2.0
"""What crossing into a component costs, against the public API of `wasmtime` on the same component."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wasmtime
import wasmtime.component

from bench.runtime import PROGRAMS, Result, measured, wall
from enarx.runtime.component.interface import Interface, wit
from enarx.runtime.component.launch import Launch
from enarx.runtime.component.machine import ComponentMachine
from enarx.runtime.component.types import BYTES, U32
from enarx.runtime.engine.capi import Library, library_path
from enarx.runtime.engine.machine import Limits, Machine
from enarx.runtime.wasi.descriptor import Table
from examples.build import build_source

HOST, GUEST = "bench:host/calls@0.2.0", "bench:guest/loops@0.2.0"
SIZE = 1000
PROGRAM = f"""
(component
  (import "{HOST}" (instance $host
    (export "number" (func (param "a" u32) (result u32)))
    (export "bytes" (func (param "a" (list u8))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $number (canon lower (func $host "number")))
  (core func $bytes (canon lower (func $host "bytes") (memory $mem)))
  (core module $loops
    (import "host" "number" (func $number (param i32) (result i32)))
    (import "host" "bytes" (func $bytes (param i32 i32)))
    (func (export "number") (param $n i32) (loop $again
      (drop (call $number (i32.const 7)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "bytes") (param $n i32) (loop $again
      (call $bytes (i32.const 0) (i32.const {SIZE}))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
  (core instance $loops (instantiate $loops (with "host" (instance
    (export "number" (func $number)) (export "bytes" (func $bytes))))))
  (func $number-loop (param "n" u32) (canon lift (core func $loops "number")))
  (func $bytes-loop (param "n" u32) (canon lift (core func $loops "bytes")))
  (instance $exported (export "number" (func $number-loop)) (export "bytes" (func $bytes-loop)))
  (export "{GUEST}" (instance $exported)))
"""


class Calls(Interface):
    """The host's side of the loops."""

    name = "bench:host/calls"

    @wit("number", U32, returns=U32)
    def number(self, value: int) -> int:
        """Give back what came."""
        return value

    @wit("bytes", BYTES)
    def take(self, raw: bytes) -> None:
        """Look that all has come."""
        if len(raw) != SIZE:
            raise ValueError(len(raw))


def timed(count: int, call: Callable[[], object]) -> float:
    """Microseconds for each of the calls inside."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1_000_000 / count


def ours(raw: bytes) -> tuple[ComponentMachine, int]:
    """Our engine with the component linked."""
    machine = Machine(Library(library_path()))
    engine = ComponentMachine(machine.library, machine.engine)
    component = engine.compile(raw)
    engine.link(component, {Calls.name: lambda: Calls(Launch([], [], Table(1)))})
    return engine, component


class Theirs:
    """The public API with the component linked."""

    def __init__(self, raw: bytes) -> None:
        self.engine = wasmtime.Engine()
        self.component = wasmtime.component.Component(self.engine, raw)
        self.linker = wasmtime.component.Linker(self.engine)
        with self.linker.root() as root, root.add_instance(HOST) as inside:
            inside.add_func("number", lambda _, value: value)
            inside.add_func("bytes", lambda _store, _raw: None)

    def instance(self) -> tuple[wasmtime.Store, Any]:
        """A fresh one."""
        store = wasmtime.Store(self.engine)
        return store, self.linker.instantiate(store, self.component)

    def function(self, name: str) -> Callable[[int], object]:
        """An exported loop."""
        store, made = self.instance()
        found = made.get_func(store, made.get_export_index(store, name, made.get_export_index(store, GUEST)))
        return lambda count: found(store, count)


def calls() -> Iterator[Result]:
    raw = bytes(wasmtime.wat2wasm(PROGRAM))
    theirs = Theirs(raw)
    engine, component = ours(raw)
    running = engine.instance(component, Limits())
    for name, loop, count in (("component.call", "number", 20_000), ("component.bytes", "bytes", 500)):
        other = theirs.function(loop)
        yield measured(
            *(name, "us"),
            lambda loop=loop, count=count: timed(count, lambda: running.call(GUEST, loop, [(U32, count)])),
            lambda other=other, count=count: timed(count, lambda: other(count)),
            *("wasmtime's public API", 7),
        )
    running.close()

    def fresh() -> None:
        for _ in range(200):
            engine.instance(component, Limits()).close()

    def fresh_theirs() -> None:
        for _ in range(200):
            theirs.instance()

    yield measured(
        *("component.instance", "us"),
        lambda: timed(200, fresh),
        lambda: timed(200, fresh_theirs),
        *("wasmtime's public API", 7),
    )


def start() -> Iterator[Result]:
    component = str(build_source(PROGRAMS.parent / "components" / "hello.wat"))
    module = str(build_source(PROGRAMS / "hello_wasi_snapshot1.wat"))
    enarx = str(Path(sys.executable).with_name("enarx"))
    yield measured(
        "component.start",
        "ms",
        lambda: wall(enarx, "run", component),
        lambda: wall(enarx, "run", module),
        "enarx run of a module",
        9,
    )


BENCHES = {"component.call": calls, "component.start": start}
