# SPDX-License-Identifier: Apache-2.0
"""SQLite's own speed test on the file system in memory, against wasmtime's own WASI on a tmpfs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.runtime import Result, measured
from examples.sqlite.build_sqlite import build

SIZE = "20"
ROUNDS = 5
INSIDE = "/tmp/test.db"  # noqa: S108 - the guest's own, in memory
TMPFS = "/dev/shm"  # noqa: S108 - the point is that it is one
THEIRS = """
import sys, wasmtime
engine = wasmtime.Engine()
linker = wasmtime.Linker(engine)
linker.define_wasi()
store, config = wasmtime.Store(engine), wasmtime.WasiConfig()
config.argv = ("main.wasm", "--size", sys.argv[3], "/d/test.db")
config.preopen_dir(sys.argv[2], "/d")
config.inherit_stdout()
store.set_wasi(config)
instance = linker.instantiate(store, wasmtime.Module.from_file(engine, sys.argv[1]))
try:
    instance.exports(store)["_start"](store)
except wasmtime.ExitTrap:
    pass
"""


def total(command: list[str]) -> float:
    """Seconds, as the speed test itself counts them: compiling is not among them."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if "TOTAL" in line)
    return float(line.split()[-1].rstrip("s"))


def fs_sqlite() -> Iterator[Result]:
    module = str(build())
    ours = [str(Path(sys.executable).with_name("enarx")), "run", module, "--", "--size", SIZE, INSIDE]

    def theirs() -> float:
        with tempfile.TemporaryDirectory(dir=TMPFS) as folder:
            return total([sys.executable, "-c", THEIRS, module, folder, SIZE])

    against = "wasmtime's own WASI on tmpfs"
    yield measured("fs.sqlite", "s", lambda: total(ours), theirs, against, ROUNDS)


BENCHES: dict[str, Callable[[], Iterator[Result]]] = {"fs.sqlite": fs_sqlite}
