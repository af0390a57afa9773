# SPDX-License-Identifier: Apache-2.0
"""A guest that takes all it can get of descriptors, bytes, names and memory meets its limits one by one."""

from __future__ import annotations

import os
from pathlib import Path

from enarx.runtime.process import run
from enarx.runtime.wasi.errno import FAULT
from enarx.runtime.workload import Exit, Stdio, Workload
from enarx.workload.manifest import Limits, Manifest, Null, Stdout
from examples.build import build_source

PROGRAM = Path(__file__).parent / "programs" / "bombs.c"
EXPECTED = [
    "descriptors: No file descriptors available",
    "bytes: No space left on device",
    "hole: No space left on device",
    "truncate: No space left on device",
    "folders: No space left on device",
    f"long buffer: {FAULT}",
    f"buffer over the edge: {FAULT}",
    f"a billion buffers: {FAULT}",
    f"result over the edge: {FAULT}",
    f"random over the edge: {FAULT}",
    "memory: bounded",
]


def test_every_bomb_meets_its_limit_and_the_guest_goes_on() -> None:
    read, write = os.pipe()
    limits = Limits(memory=48 << 20, storage=4 << 20, files=64)
    manifest = Manifest(files=(Null(), Stdout(), Null("err")), limits=limits)
    ended = run(Workload(build_source(PROGRAM).read_bytes(), manifest), stdio=Stdio(None, write, None))
    os.close(write)
    with os.fdopen(read) as output:
        assert EXPECTED == output.read().splitlines()
    assert Exit(0) == ended
