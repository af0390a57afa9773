# SPDX-License-Identifier: Apache-2.0
"""Files of a component: ordinary C answers as under wasmtime's own WASI 0.2; secrets and evidence are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import wasmtime
import wasmtime.component

from enarx.runtime.process import run
from enarx.runtime.workload import Exit, Identity, Stdio, Workload
from enarx.workload.manifest import Manifest, Null, Stdin, Stdout
from examples.build import build, build_source, component
from tests.parts import program

# POSIX rmdir(3p): a path that ends in slashes names the folder. Wasmtime answers EINVAL.
DIFFERENT = ("rmdir with slash 28", "rmdir with slash 0")
PROGRAMS = Path(__file__).parent / "programs"
MANIFEST = Manifest(files=(Null(), Stdout(), Null("err")))


def of_program(name: str) -> bytes:
    """A test program as a component."""
    program("npm", "npm")
    return component(build_source(PROGRAMS / f"{name}.c")).read_bytes()


def printed(raw: bytes, *args: str, **how: object) -> list[str]:
    read, write = os.pipe()
    attest = how.pop("attest", None)
    identity = how.pop("identity", None)
    workload = Workload(raw, MANIFEST, args=args, **how)
    ended = run(workload, stdio=Stdio(None, write, None), attest=attest, identity=identity)
    os.close(write)
    with os.fdopen(read) as output:
        text = output.read()
    assert (0, None) == (ended.code, ended.reason)
    return text.splitlines()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the same component prints on wasmtime's own WASI 0.2."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "d").mkdir()
    engine = wasmtime.Engine()
    linker = wasmtime.component.Linker(engine)
    linker.add_wasip2()
    store = wasmtime.Store(engine)
    config = wasmtime.WasiConfig()
    config.argv = ("main.wasm", "/d")
    config.preopen_dir(str(folder / "d"), "/d")
    config.stdout_file = str(folder / "out")
    store.set_wasi(config)
    made = wasmtime.component.Component(engine, of_program("files"))
    instance = linker.instantiate(store, made)
    interface = instance.get_export_index(store, "wasi:cli/run@0.2.12")
    function = instance.get_func(store, instance.get_export_index(store, "run", interface))
    function(store)
    return (folder / "out").read_text().splitlines()


def test_files_in_memory_answer_as_wasmtime_does(reference: list[str]) -> None:
    assert len(reference) > 140
    ours = printed(of_program("files"), "/", "tmp")
    assert [DIFFERENT] == [pair for pair in zip(reference, ours, strict=True) if pair[0] != pair[1]]


def test_a_real_folder_answers_the_same(reference: list[str], tmp_path: Path) -> None:
    ours = printed(of_program("files"), "/w", folders={"/w": str(tmp_path)})
    assert [DIFFERENT] == [pair for pair in zip(reference, ours, strict=True) if pair[0] != pair[1]]


def test_secrets_certificate_and_evidence_are_files() -> None:
    raw = of_program("know")
    assert ["hunter2"] == printed(raw, "", "/secrets/password", secrets={"password": b"hunter2"})
    assert ["the chain"] == printed(raw, "", "/attest/certificate", identity=Identity(b"key", b"the chain"))
    assert ["signed<mine>"] == printed(raw, "mine", "/attest/evidence", attest=lambda data: b"signed<" + data + b">")


def test_the_example_counts_lines() -> None:
    program("npm", "npm")
    read, write = os.pipe()
    manifest = Manifest(files=(Stdin(source="in.txt"), Stdout(), Null("err")))
    workload = Workload(build("component-c").read_bytes(), manifest, {"in.txt": b"a\nb\nc\n"}, args=("you",))
    assert Exit(0) == run(workload, stdio=Stdio(None, write, None))
    os.close(write)
    with os.fdopen(read) as output:
        assert "3 lines for you, in or after 2024: yes\n" == output.read()
