# SPDX-License-Identifier: Apache-2.0
"""Compile the examples and the test programs to WebAssembly, each source once.

C, C++ and Zig go through `ziglang`, WAT through `wasmtime`. What is made lies in `build/wasm`, named by
the digest of its source and of the command that made it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "wasm"
ZIG = (sys.executable, "-m", "ziglang")
TARGET = "wasm32-wasi"
COMMANDS = {
    ".c": (*ZIG, "cc", f"--target={TARGET}", "-O2", "-s", "-Wall", "-Wextra", "-Werror"),
    ".cpp": (*ZIG, "c++", f"--target={TARGET}", "-O2", "-s", "-Wall", "-fno-exceptions"),
    ".zig": (*ZIG, "build-exe", "-target", TARGET, "-O", "ReleaseSmall", "-fstrip"),
}


def build(name: str) -> Path:
    """The module of `examples/NAME`, whose source is `main.c`, `main.cpp`, `main.zig` or `main.wat`."""
    folder = ROOT / "examples" / name
    sources = [folder / f"main{suffix}" for suffix in (*COMMANDS, ".wat")]
    return build_source(next(source for source in sources if source.exists()), name)


def build_source(source: Path, name: str = "", *flags: str) -> Path:
    """The module that one source file becomes."""
    package = "wasmtime" if source.suffix == ".wat" else "ziglang"
    command = (*COMMANDS.get(source.suffix, ()), *flags)
    recipe = " ".join((*command[1:], package, importlib.metadata.version(package)))
    texts = [source, *sorted(source.parent.glob("*.h"))]
    content = b"\0".join((recipe.encode(), *(text.read_bytes() for text in texts)))
    key = hashlib.sha256(content).hexdigest()[:16]
    target = OUTPUT / f"{name or source.stem}-{key}.wasm"
    if not target.exists():
        OUTPUT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=OUTPUT) as folder:
            made = Path(folder) / "main.wasm"
            _compile(source, made, command)
            made.replace(target)
    return target


def _compile(source: Path, made: Path, command: tuple[str, ...]) -> None:
    if source.suffix == ".wat":
        import wasmtime

        made.write_bytes(wasmtime.wat2wasm(source.read_text()))
        return
    output = (f"-femit-bin={made}",) if source.suffix == ".zig" else ("-o", str(made))
    cache = OUTPUT.parent / "zig-cache"
    settings = {**os.environ, "ZIG_LOCAL_CACHE_DIR": str(cache), "ZIG_GLOBAL_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [*command, str(source.resolve()), *output],
        cwd=made.parent,
        env=settings,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{source.name} does not compile:\n{done.stderr}")


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(build(wanted))
