# SPDX-License-Identifier: Apache-2.0
"""Build the examples that answer HTTP: components of the world `wasi:http/proxy`, in C, JavaScript and Python.

`wasm-tools` and `componentize-py` come from PyPI, `componentize-js` and `jco` from npm in the versions of
`package-lock.json`. What is made lies in `build/wasm` like that of `build.py`.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from examples.build import OUTPUT, ROOT, WASI, build_source, jco, wasm_tools

EXAMPLES = ROOT / "examples"
NODE_MODULES = ROOT / "build" / "npm"
WORLD = "package enarx:examples; world server {{ include wasi:http/proxy@{version}; }}\n"
STARLING = "0.2.10"
"""The version of WASI for which `componentize-js` 0.23 has its `fetch` event."""
NEWEST = "0.2.12"
FREESTANDING = (
    *("--target=wasm32-freestanding", "-nostdlib", "-fno-sanitize=all"),
    *("-Wl,--no-entry", "-Wno-unused-function"),
)


def server(name: str) -> Path:
    """The component of `examples/component-http-NAME`."""
    return {"c": in_c, "js": in_javascript, "python": in_python}[name](EXAMPLES / f"component-http-{name}")


def wit(version: str = NEWEST) -> Path:
    """A folder with WASI's WIT files and the world of a server."""
    folder = OUTPUT / f"wit-server-{version}"
    if not (folder / "world.wit").exists():
        shutil.copytree(jco() / WASI, folder / "deps", dirs_exist_ok=True)
        for file in (folder / "deps").rglob("*.wit"):
            # Versions 0.2.x differ in what later ones add, and no world has to use that.
            file.write_text(file.read_text().replace(f"@{NEWEST}", f"@{version}"))
        (folder / "world.wit").write_text(WORLD.format(version=version))
    return folder


def in_c(folder: Path) -> Path:
    """A source without a C library, against the canonical ABI."""
    return embedded(build_source(folder / "main.c", folder.name, *FREESTANDING))


def embedded(module: Path) -> Path:
    """The component that a module becomes whose names are those of the canonical ABI."""
    target = module.with_suffix(".component.wasm")
    if not target.exists():
        typed = module.with_suffix(".embedded.wasm")
        wasm_tools("component", "embed", str(wit()), "--world", "server", str(module), output=typed)
        wasm_tools("component", "new", str(typed), output=target)
    return target


def npm() -> Path:
    """The folder with the packages of `package-lock.json`, and the script that uses them."""
    files = ("package.json", "package-lock.json", "componentize.mjs")
    folder = (
        NODE_MODULES / hashlib.sha256(b"\0".join((EXAMPLES / name).read_bytes() for name in files)).hexdigest()[:16]
    )
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            shutil.copy(EXAMPLES / name, folder)
        quiet = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
        subprocess.run(["npm", "ci", *quiet], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (folder / "done").touch()
    return folder


def in_javascript(folder: Path) -> Path:
    """A script with a `fetch` event, in StarlingMonkey."""
    script = npm() / "componentize.mjs"
    sources = (folder / "main.js", EXAMPLES / "package-lock.json", script)
    return _made(folder.name, sources, lambda to: ["node", str(script), str(sources[0]), str(wit(STARLING)), to])


def in_python(folder: Path) -> Path:
    """An application in CPython."""
    tool = Path(sys.executable).with_name("componentize-py")
    command = [str(tool), "--quiet", "-d", str(wit()), "-w", "server", "componentize", "-p", str(folder), "app", "-o"]
    return _made(folder.name, (folder / "app.py",), lambda to: [*command, to])


def _made(name: str, sources: tuple[Path, ...], command: Callable[[str], list[str]]) -> Path:
    key = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    target = OUTPUT / f"{name}-{key}.component.wasm"
    if not target.exists():
        OUTPUT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=OUTPUT) as folder:
            made = Path(folder) / "made.wasm"
            done = subprocess.run(command(str(made)), capture_output=True, text=True, check=False)
            if done.returncode or not made.exists():
                raise RuntimeError(f"{name} does not become a component:\n{done.stderr}{done.stdout}")
            made.replace(target)
    return target


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(server(wanted))
