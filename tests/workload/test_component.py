# SPDX-License-Identifier: Apache-2.0
"""The outline of a component: imports with the functions used of them, exports, memories."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import Malformed
from enarx.workload.component import Component, Interface
from enarx.workload.module import parse

HELLO = Path(__file__).parent.parent / "runtime" / "components" / "hello.wat"
BINARY = bytes(wasmtime.wat2wasm(HELLO.read_text()))


def outline(text: str) -> Component:
    found = parse(bytes(wasmtime.wat2wasm(text))).component
    assert found is not None
    return found


def test_interfaces_are_listed_with_the_functions_that_are_used_of_them() -> None:
    found = outline(HELLO.read_text())
    assert found.imports == (
        Interface("wasi:io/error@0.2.0"),
        Interface("wasi:io/streams@0.2.0", ("[method]output-stream.blocking-write-and-flush",)),
        Interface("wasi:cli/stdout@0.2.0", ("get-stdout",)),
    )
    assert (("wasi:cli/run@0.2.0",), 1) == (found.exports, found.memories)


@pytest.mark.parametrize(
    ("exports", "found"),
    [
        (("wasi:cli/run@0.2.0",), "wasi:cli/run@0.2.0"),
        (("wasi:cli/run@0.2.12",), "wasi:cli/run@0.2.12"),
        (("wasi:cli/run@0.3.0", "wasi:cli/run"), None),
        (("wasi:cli/run@0.2", "wasi:cli/run@0.2.0-rc", "wasi:cli/runs@0.2.0"), None),
    ],
)
def test_an_export_counts_in_any_version_0_2(exports: tuple[str, ...], found: str | None) -> None:
    assert found == Component((), exports).exported("wasi:cli/run")


def test_every_form_of_type_is_read_over() -> None:
    text = """(component
      (type (record (field "a" u8) (field "b" (tuple u8 string))))
      (type (variant (case "a") (case "b" (list char))))
      (type (flags "a" "b")) (type (enum "a" "b")) (type (option s64)) (type (result f32 (error f64)))
      (type $r (resource (rep i32))) (type (own $r)) (type (borrow $r))
      (type (func (param "a" bool) (result string)))
      (type $i (instance (type $t u32) (export "t" (type (eq $t))) (export "f" (func (param "x" $t)))))
      (import "my:own/interface" (instance (type $i))) (import "plain" (func)) (import "kind" (type (sub resource))))"""
    expected = (Interface("my:own/interface", ("f",)), Interface("plain"), Interface("kind"))
    assert expected == outline(text).imports


def test_memories_of_all_modules_count_and_those_of_nested_components_too() -> None:
    inner = "(component (core module (memory 1)) (component (core module (memory 1))))"
    assert 4 == outline(f"(component (core module (memory 1)) (core module (memory 1)) {inner})").memories
    nested = '(core module (import "a" "b" (memory 1)))'
    assert 0 == outline(f"(component {nested})").memories


def test_components_in_components_end_somewhere() -> None:
    with pytest.raises(Malformed):
        outline("(component " * 40 + ")" * 40)


@given(st.binary(max_size=64))
def test_no_bytes_are_refused_in_another_way(tail: bytes) -> None:
    try:
        parse(b"\0asm\x0d\0\1\0" + tail)
    except Malformed:
        return


@given(st.integers(8, len(BINARY) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_malformed(at: int, value: int) -> None:
    changed = bytearray(BINARY)
    changed[at] = value
    try:
        parse(bytes(changed))
    except Malformed:
        return
