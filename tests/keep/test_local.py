"""A Keep that runs its opener's own module: identified to nobody, entrusted with nothing."""

from __future__ import annotations

import os
from typing import Any

import pytest
import wasmtime

from enarx.errors import EnarxError, Reason
from enarx.keep.local import SOURCE
from enarx.platform.process import ProcessKeep, raised
from enarx.workload.launch import Launch
from enarx.workload.package import MANIFEST, MODULE, Package, build
from tests.runtime.components import by_hand

SAYS_HI_AND_EXITS_WITH_7 = """
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\08\\00\\00\\00\\03\\00\\00\\00hi\\0a")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))
    (call $exit (i32.const 7))))
"""


def module() -> bytes:
    return bytes(wasmtime.wat2wasm(SAYS_HI_AND_EXITS_WITH_7))


def told(package: Package, **launch: Any) -> tuple[list[str], int | EnarxError, bytes]:
    """The states, the ending, and what was printed."""
    fields = {"source": SOURCE, "stdio": {"stdin": "host", "stdout": "host"}, **launch}
    document = Launch(package=package.digest, tenant=b"nobody", deployment=b"d" * 16, **fields).encoded()
    states: list[str] = []
    ended: int | EnarxError = -1
    reader, writer = os.pipe()
    nodes = {"": package.root, **package.nodes}
    with ProcessKeep(document, chip=None, attest="127.0.0.1:0", cas=b"", nodes=nodes, stdio={"stdout": writer}) as keep:
        for event in keep.events():
            match event["event"]:
                case "state":
                    states.append(event["state"])
                case "refused":
                    ended = raised(event)
                case "ended":
                    ended = event["code"]
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        return states, ended, file.read()


def test_it_runs_without_an_identity_and_its_exit_code_comes_back() -> None:
    states, ended, printed = told(build({MODULE: module()}))
    assert (["opened", "delivered", "running"], 7, b"hi\n") == (states, ended, printed)


def test_a_component_runs_in_a_keep_too() -> None:
    states, ended, printed = told(build({MODULE: by_hand("hello")}))
    assert (["opened", "delivered", "running"], 0, b"Hello from a component\n") == (states, ended, printed)


@pytest.mark.parametrize(
    "entrusted", [{"secrets": ("key",)}, {"steward": "https://localhost", "steward_ca": b"c" * 32}]
)
def test_a_document_that_entrusts_it_with_something_is_refused(entrusted: dict[str, Any]) -> None:
    states, ended, _ = told(build({MODULE: module()}), **entrusted)
    assert isinstance(ended, EnarxError)
    assert (["opened", "refused"], Reason.INCONSISTENT) == (states, ended.reason)


def test_a_sealed_volume_needs_somebody_who_identifies_the_keep() -> None:
    manifest = b'[[files]]\nkind = "stdout"\n\n[sealed]\nbind = "launch"\nseal = "tenant"\nrollback = "detected"\n'
    _, ended, _ = told(build({MODULE: module(), MANIFEST: manifest}), stdio={"stdout": "host"})
    assert isinstance(ended, EnarxError), ended
    assert Reason.NOT_GRANTED == ended.reason


def test_the_module_is_the_one_that_the_document_names() -> None:
    package = build({MODULE: module()})
    other = build({MODULE: module(), MANIFEST: b'[[files]]\nkind = "null"\n'})
    mixed = Package(root=package.root, nodes={**package.nodes, MODULE: other.nodes[MODULE] + b"\0"})
    states, ended, printed = told(mixed)
    assert (["opened", "refused"], b"") == (states, printed)
    assert isinstance(ended, EnarxError)
