# SPDX-License-Identifier: Apache-2.0
"""The outline of wasm binaries, and what is none."""

from __future__ import annotations

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import Malformed, Reason
from enarx.workload.module import Export, Import, Kind, parse

WAT = """
(module
  (type (func (param i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func (type 0)))
  (import "env" "memory" (memory 1 2))
  (import "env" "table" (table 1 funcref))
  (import "env" "global" (global i64))
  (func (export "_initialize"))
  (func (export "_start"))
  (func (export ""))
  (memory (export "m") 1))
"""
BINARY = bytes(wasmtime.wat2wasm(WAT))


def test_imports_and_exports_are_listed_in_order() -> None:
    module = parse(BINARY)
    assert (
        Import("wasi_snapshot_preview1", "proc_exit", Kind.FUNCTION),
        Import("env", "memory", Kind.MEMORY),
        Import("env", "table", Kind.TABLE),
        Import("env", "global", Kind.GLOBAL),
    ) == module.imports
    assert (
        Export("_initialize", Kind.FUNCTION),
        Export("_start", Kind.FUNCTION),
        Export("", Kind.FUNCTION),
        Export("m", Kind.MEMORY),
    ) == module.exports


def test_a_command_starts_at_start_and_else_at_the_empty_name() -> None:
    assert (parse(BINARY).entry, parse(BINARY).reactor) == ("_start", True)
    assert parse(bytes(wasmtime.wat2wasm('(module (func (export "")))'))).entry == ""
    assert None is parse(bytes(wasmtime.wat2wasm('(module (memory (export "_start") 1))'))).entry


def test_a_component_is_told_apart() -> None:
    assert parse(b"\0asm\x0d\0\x01\0").component


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.NOT_WASM),
        (b"#!/bin/sh\n", Reason.NOT_WASM),
        (b"\0asm", Reason.UNKNOWN_VERSION),
        (b"\0asm\x02\0\0\0", Reason.UNKNOWN_VERSION),
        (b"\0asm\x01\0\0\0\x02\x05", Reason.TRUNCATED),
        (b"\0asm\x01\0\0\0\x02\x02\x00\x00", Reason.TRAILING_BYTES),
        (b"\0asm\x01\0\0\0\x07\x04\x01\x01\xff\x00", Reason.SYNTAX),
        (b"\0asm\x01\0\0\0\x07\x04\x01\x00\x09\x00", Reason.UNKNOWN_VALUE),
        (b"\0asm\x01\0\0\0\x07\x80\x80\x80\x80\x80\x00", Reason.TOO_LARGE),
    ],
)
def test_what_is_no_module_is_malformed(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert reason == caught.value.reason


@given(st.binary(max_size=64))
def test_no_bytes_are_refused_in_another_way(tail: bytes) -> None:
    try:
        parse(b"\0asm\x01\0\0\0" + tail)
    except Malformed:
        return


@given(st.integers(0, len(BINARY) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_malformed(at: int, value: int) -> None:
    changed = bytearray(BINARY)
    changed[at] = value
    try:
        parse(bytes(changed))
    except Malformed:
        return
