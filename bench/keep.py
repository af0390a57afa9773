# SPDX-License-Identifier: Apache-2.0
"""What a guest's own work costs in a Keep, and getting a package to run in one that is warm."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import wasmtime

from bench.runtime import PROGRAMS, Result, measured
from enarx.runtime.engine.capi import Instance, Library, library_path
from enarx.runtime.engine.host import Bridge
from enarx.runtime.engine.machine import Limits, Machine
from enarx.runtime.guest.start import OpenFile, Start
from enarx.runtime.guest.system import System
from enarx.runtime.process import run
from enarx.runtime.spawn import GuestProcess, spawn
from enarx.runtime.store import CodeStore
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.process import Ended
from enarx.runtime.workload import NO_STDIO, Workload
from enarx.workload import module as outline
from enarx.workload.manifest import DEFAULT
from examples.build import build_source


def milliseconds(act: Callable[[], object]) -> Callable[[], float]:
    def batch() -> float:
        began = time.perf_counter()
        act()
        return (time.perf_counter() - began) * 1000

    return batch


def compute() -> Iterator[Result]:
    raw = build_source(PROGRAMS / "compute.c").read_bytes()
    machine, memory = Machine(Library(library_path())), GuestMemory()
    bridge = Bridge(machine.library, memory, lambda _: None)
    module = machine.compile(raw)

    machine.define("wasi_snapshot_preview1", "proc_exit", "i", lambda *_: None, answers=False)

    def ours() -> float:
        instance = machine.instantiate(module, memory, bridge)
        return milliseconds(lambda: machine.call(instance, "_start", bridge))()

    engine = wasmtime.Engine()
    plain = wasmtime.Module(engine, raw)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()

    def theirs() -> float:
        store = wasmtime.Store(engine)
        store.set_wasi(wasmtime.WasiConfig())
        start = linker.instantiate(store, plain).exports(store)["_start"]
        return milliseconds(lambda: start(store))()

    yield measured("wasm.compute", "ms", ours, theirs, "wasmtime from Python", 15)


def first_instruction(workload: Workload, store: CodeStore | None) -> Callable[[], float]:
    """Milliseconds from the package at hand to the guest's first instruction, its process waiting already."""

    def batch() -> float:
        process = waiting()
        moments = [time.perf_counter()]
        run(
            workload,
            stdio=NO_STDIO,
            store=store,
            process=process,
            on_running=lambda _: moments.append(time.perf_counter()),
        )
        return (moments[1] - moments[0]) * 1000

    return batch


def waiting() -> GuestProcess:
    """A guest's process that has loaded everything and closed its sandbox, as a warm Keep has one."""
    process = spawn()
    time.sleep(1.5)
    return process


def warm() -> Iterator[Result]:
    raw = build_source(PROGRAMS / "files.c").read_bytes()
    workload = Workload(raw, DEFAULT)
    engine = wasmtime.Engine()

    def instantiated(module: wasmtime.Module) -> None:
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        store = wasmtime.Store(engine)
        store.set_wasi(wasmtime.WasiConfig())
        linker.instantiate(store, module)

    cold = milliseconds(lambda: instantiated(wasmtime.Module(engine, raw)))
    code = wasmtime.Module(engine, raw).serialize()
    again = milliseconds(lambda: instantiated(wasmtime.Module.deserialize(engine, code)))
    yield measured(
        "keep.warm", "ms", first_instruction(workload, None), cold, "Module(engine, bytes) + instantiate", 15
    )
    with tempfile.TemporaryDirectory() as folder:
        store = CodeStore(Path(folder) / "code")
        second = first_instruction(workload, store)
        yield measured("keep.warm.second", "ms", second, again, "Module.deserialize + instantiate", 15)


def pages() -> Iterator[Result]:
    """Not SQLite's own speed test, whose source is no dependency yet: its pattern of reads and writes."""
    raw = build_source(PROGRAMS / "pages.c").read_bytes()
    imports = sorted({one.name for one in outline.parse(raw).imports})
    start = Start(
        *(
            -1,
            False,
            False,
            [b"main.wasm", b"/tmp/file"],
            [],
            imports,
            (),
            [OpenFile("null")] * 3,
            (),
            -1,
            Limits(),
            64,
        ),
        *(256 << 20, -1, -1, 8, False),
    )
    engine = wasmtime.Engine()
    plain = wasmtime.Module(engine, raw)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()

    def ours() -> float:
        machine = Machine(Library(library_path()))
        module = machine.compile(raw)
        system = System(machine)
        system.begin(start)
        instance = machine.instantiate(module, system.memory, system.bridge)
        return milliseconds(lambda: _whole(machine, instance, system.bridge))()

    def theirs() -> float:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            store = wasmtime.Store(engine)
            config = wasmtime.WasiConfig()
            config.argv = ("main.wasm", "/tmp/file")  # noqa: S108 - the guest's
            config.preopen_dir(folder, "/tmp")  # noqa: S108 - the guest's
            store.set_wasi(config)
            run_it = linker.instantiate(store, plain).exports(store)["_start"]
            return milliseconds(lambda: run_it(store))()

    yield measured("fs.pages", "ms", ours, theirs, "wasmtime's own WASI on tmpfs", 9)


def _whole(machine: Machine, instance: Instance, bridge: Bridge) -> None:
    with contextlib.suppress(Ended):
        machine.call(instance, "_start", bridge)


BENCHES: dict[str, Callable[[], Iterator[Result]]] = {"wasm.compute": compute, "keep.warm": warm, "fs.pages": pages}
