"""Components for the tests: written by hand as text, or in C against the canonical ABI."""

from __future__ import annotations

import shutil
from pathlib import Path

from examples.build import OUTPUT, WASI, build_source, jco, wasm_tools
from examples.servers import embedded
from tests.parts import program

HERE = Path(__file__).parent
WORLD = "package test:programs; world command { include wasi:cli/command@0.2.12; }\n"
FREESTANDING = (
    "--target=wasm32-freestanding",
    "-nostdlib",
    "-fno-sanitize=all",
    "-Wl,--no-entry",
    "-Wno-unused-function",
)


def by_hand(name: str) -> bytes:
    """The component of `NAME.wat` in this folder."""
    return build_source(HERE / f"{name}.wat").read_bytes()


def in_c(name: str) -> bytes:
    """The component of `NAME.c` in this folder: without a C library, hence with nothing but its own imports."""
    module = build_source(HERE / f"{name}.c", "", *FREESTANDING)
    target = module.with_suffix(".component.wasm")
    if not target.exists():
        embedded = module.with_suffix(".embedded.wasm")
        wasm_tools("component", "embed", str(wit()), "--world", "command", str(module), output=embedded)
        wasm_tools("component", "new", str(embedded), output=target)
    return target.read_bytes()


def wit() -> Path:
    """A folder with WASI's own WIT files and a world of ours that includes all of it."""
    program("npm", "npm")
    folder = OUTPUT / "wit"
    if not (folder / "world.wit").exists():
        shutil.copytree(jco() / WASI, folder / "deps", dirs_exist_ok=True)
        (folder / "world.wit").write_text(WORLD)
    return folder


def server_in_c(name: str) -> bytes:
    """The component of `NAME.c` in this folder that answers HTTP."""
    program("npm", "npm")
    return embedded(build_source(HERE / f"{name}.c", "", *FREESTANDING)).read_bytes()
