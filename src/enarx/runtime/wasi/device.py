# SPDX-License-Identifier: Apache-2.0
"""`/dev/null` and `/dev/urandom`."""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

import os

from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor
from enarx.runtime.wasi.directory import Opened
from enarx.runtime.wasi.stream import Null
from enarx.runtime.wasi.volume import Leaf

PIECE = 1 << 20


class NullDevice(Leaf):
    """`/dev/null`."""

    filetype = rights.CHARACTER_DEVICE

    def open(self, how: Opened) -> Descriptor:
        opened = Null()
        opened.filetype = self.filetype
        opened.rights &= how.granted
        return opened


class RandomDevice(Leaf):
    """`/dev/urandom`."""

    filetype = rights.CHARACTER_DEVICE

    def open(self, how: Opened) -> Descriptor:
        return _Random(how.granted & rights.STREAM)


class _Random(Null):
    """Reads the kernel's randomness; what is written to it changes nothing."""

    filetype = rights.CHARACTER_DEVICE

    def __init__(self, granted: int) -> None:
        super().__init__()
        self.rights = granted

    def read(self, buffers: list[memoryview]) -> int:
        done = 0
        for buffer in buffers:
            for start in range(0, len(buffer), PIECE):
                piece = buffer[start : start + PIECE]
                piece[:] = os.urandom(len(piece))
            done += len(buffer)
        return done
