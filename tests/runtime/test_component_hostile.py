# SPDX-License-Identifier: Apache-2.0
"""A component that does what it must not ends with a reason, or is told no and goes on."""

from __future__ import annotations

import os

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import EnarxError, Reason
from enarx.runtime.process import run
from enarx.runtime.workload import NO_STDIO, Exit, Stdio, Workload
from enarx.workload.manifest import DEFAULT, Limits, Manifest, Null, Stdout
from tests.runtime.components import HERE, in_c

HELLO = (HERE / "hello.wat").read_text()
FILES = (Null(), Stdout(), Null("err"))


def ended(kind: str, **limits: int) -> tuple[Exit, list[str]]:
    """How the hostile component ended that does this, and what it printed."""
    read, write = os.pipe()
    workload = Workload(in_c("hostile"), Manifest(files=FILES, limits=Limits(**limits)), args=(kind,))
    found = run(workload, stdio=Stdio(None, write, None))
    os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as output:
        return found, output.read().splitlines()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("a", "wasi:io/poll.poll was given an empty list"),
        ("b", "unknown handle index 1"),
        ("c", "unknown handle index 1"),
        ("d", "handle index 2 used with the wrong type"),
        ("e", "list pointer/length out of bounds of memory"),
        ("f", "output-stream.write was given more than check-write allowed"),
        ("g", "blocking-write-and-flush takes 4096 bytes, and was given 4097"),
        ("h", "1099511627776 random bytes at once; a Keep gives 1048576"),
        ("i", "pointer not aligned"),
        ("j", "too much data is being copied between the host and the guest"),
        ("s", "wasm `unreachable` instruction executed"),
        ("t", "invalid utf-8 sequence"),
        ("v", "unknown handle index 0"),
        ("w", "discriminant 7 out of range"),
        ("x", "handle index 1 used with the wrong type"),
    ],
)
def test_a_call_that_breaks_a_rule_is_a_trap_with_its_reason_and_a_backtrace(kind: str, said: str) -> None:
    found, _ = ended(kind)
    assert (Reason.TRAPPED, True) == (found.reason, found.detail.startswith(said))
    assert "wasm backtrace" in found.trace


@pytest.mark.parametrize(
    ("kind", "limits", "said"),
    [
        ("k", {}, "handles = 65536"),
        ("l", {"cpu_seconds": 1}, "cpu_seconds = 1"),
        ("m", {"wall_seconds": 1}, "wall_seconds = 1"),
        ("n", {"output_rate": 20_000}, "output_rate = 20000"),
    ],
)
def test_a_limit_ends_a_component_with_its_name(kind: str, limits: dict[str, int], said: str) -> None:
    found, _ = ended(kind, **limits)
    assert (Reason.LIMIT_REACHED, said) == (found.reason, found.detail)


def test_paths_lead_nowhere_else() -> None:
    not_permitted, no_entry, read_only, not_a_directory = 31, 20, 33, 24
    expected = [f"{path} {not_permitted}" for path in ("../../etc/passwd", "/etc/passwd", "tmp/../../etc/passwd")]
    expected += [f"tmp/../dev/../../x {not_permitted}", f" {no_entry}", f"planted {read_only}"]
    assert (Exit(0), [*expected, f"dev/null/x {not_a_directory}"]) == ended("o")


def test_files_bytes_and_memory_are_bounded() -> None:
    # Four descriptors are the manifest's and the folder's; the rest is the component's.
    assert (Exit(0), ["opened 28"]) == ended("p", files=32)
    insufficient_space = 23
    assert (Exit(0), [f"refused {insufficient_space}"]) == ended("q", storage=1_000_000)
    assert (Exit(0), ["grew 0"]) == ended("r", memory=64 << 20)


@pytest.mark.parametrize("kind", ["u", "y"])
def test_what_is_only_strange_goes_on(kind: str) -> None:
    assert Exit(42) == ended(kind)[0]


def test_a_limit_on_instances_holds() -> None:
    manifest = Manifest(files=FILES, limits=Limits(instances=1))
    found = run(Workload(wasm(HELLO), manifest), stdio=NO_STDIO)
    assert Reason.LIMIT_REACHED == found.reason


def test_several_memories_get_no_more_than_one_would() -> None:
    page, more = 1 << 16, "(core module $more (memory 20)) (core instance (instantiate $more)) (core module $main"
    found = [
        run(Workload(wasm(HELLO.replace("(core module $main", more)), limited), stdio=NO_STDIO)
        for limited in (Manifest(files=FILES, limits=Limits(memory=pages * page)) for pages in (30, 40))
    ]
    assert [Reason.LIMIT_REACHED, None] == [one.reason for one in found]


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


RUN = '(func $run (result (result)) (canon lift (core func $main "run")))'


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ("(result (own $out))))))", "(result u32)))))", "the component expects ()->u32"),
        (RUN, RUN.replace("(result (result))", "(result u32)"), "a Keep expects ()->result<_,_>"),
    ],
)
def test_a_function_is_never_taken_for_another(ours: str, theirs: str, said: str) -> None:
    """A component says itself of which type an interface's functions are; ours are WASI's."""
    assert ours in HELLO
    found = run(Workload(wasm(HELLO.replace(ours, theirs)), DEFAULT), stdio=NO_STDIO)
    assert Reason.MODULE_INVALID == found.reason
    assert said in found.detail


BINARY = wasm(HELLO)


@settings(max_examples=30, deadline=None)
@given(st.integers(8, len(BINARY) - 1), st.integers(1, 255))
def test_a_component_with_a_changed_byte_runs_or_is_refused(at: int, change: int) -> None:
    changed = bytearray(BINARY)
    changed[at] ^= change
    limits = Limits(cpu_seconds=2, wall_seconds=10)
    try:
        found = run(Workload(bytes(changed), Manifest(files=FILES, limits=limits)), stdio=NO_STDIO)
    except EnarxError as refused:
        assert refused.reason is not Reason.INTERNAL
    else:
        assert found.reason is not Reason.INTERNAL
        assert found.reason is not Reason.KEEP_DIED
