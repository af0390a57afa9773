# SPDX-License-Identifier: Apache-2.0
"""SQLite and its own speed test, from Debian's unchanged source, as a WASI preview 1 program.

The source comes through the machine's own apt (a private configuration with `deb-src`, no root needed), its digest
from the archive's signed lists. `make sqlite3.c` needs tclsh; Zig compiles.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent.parent / "build"
ZIG = (sys.executable, "-m", "ziglang", "cc")
FLAGS = (
    *("--target=wasm32-wasi", "-O2", "-s", "-w", "-include", str(HERE / "wasi_port.h")),
    *("-D_WASI_EMULATED_GETPID", "-lwasi-emulated-getpid"),
    # What a system without threads, shared libraries, shared memory and mmap leaves out; temporary tables in memory.
    *("-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION", "-DSQLITE_OMIT_WAL", "-DSQLITE_MAX_MMAP_SIZE=0"),
    *("-DSQLITE_TEMP_STORE=2", "-DLONGDOUBLE_TYPE=double"),
)


def suite() -> str:
    """The Debian release of this machine."""
    rows = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    table = dict(row.split("=", 1) for row in rows if "=" in row)
    return table["VERSION_CODENAME"].strip('"')


def source(folder: Path) -> Path:
    """Debian's archive of SQLite's source, its digest checked."""
    from enarx.platform.image.apt_client import Apt

    apt = Apt(folder, [suite()], sources=True)
    apt.update()
    archives = apt.source_archives("sqlite3", suite())
    name, version, digest, _ = next(row for row in archives if row[0].partition(".orig.tar")[1])
    apt.download_source("sqlite3", version, folder)
    archive = folder / name
    if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
        message = f"{name} is not what the archive's lists say"
        raise RuntimeError(message)
    return archive


def build() -> Path:
    """The module of `test/speedtest1.c` with SQLite in it; built once."""
    recipe = " ".join(FLAGS[1:]) + (HERE / "wasi_port.h").read_text(encoding="utf-8")
    target = BUILD / "wasm" / f"sqlite-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.wasm"
    if target.exists():
        return target
    folder = BUILD / "sqlite"
    shutil.rmtree(folder, ignore_errors=True)
    tree = folder / "tree"
    tree.mkdir(parents=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    run("tar", "xf", str(source(folder)), "--strip-components=1", "-C", str(tree), cwd=folder)
    environment = {**os.environ, "CC": " ".join(ZIG), "ZIG_GLOBAL_CACHE_DIR": str(BUILD / "zig-cache")}
    run("./configure", "--disable-tcl", "--disable-readline", cwd=tree, environment=environment)
    run("make", "sqlite3.c", cwd=tree, environment=environment)
    made = folder / "speedtest1.wasm"
    run(*ZIG, *FLAGS, "-I.", "sqlite3.c", "test/speedtest1.c", "-o", str(made), cwd=tree, environment=environment)
    made.replace(target)
    shutil.rmtree(folder)
    return target


def run(*command: str, cwd: Path, environment: dict[str, str] | None = None) -> None:
    """One step; what it said when it fails."""
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{command[0]}: {(done.stderr or done.stdout)[-2000:]}"
        raise RuntimeError(message)


if __name__ == "__main__":
    print(build())
