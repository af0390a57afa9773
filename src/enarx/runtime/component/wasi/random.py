# SPDX-License-Identifier: Apache-2.0
"""`wasi:random`: the kernel's randomness, also where a guest would be content with less."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

import os

from enarx.runtime.component.interface import BadCall, Interface, wit
from enarx.runtime.component.types import BYTES, U64, Tuple

MOST_RANDOM = 1 << 20


def _bytes(count: int) -> bytes:
    if count > MOST_RANDOM:
        raise BadCall(f"{count} random bytes at once; a Keep gives {MOST_RANDOM}")
    return os.urandom(count)


def _word() -> int:
    return int.from_bytes(os.urandom(8), "little")


class Random(Interface):
    """`wasi:random/random`."""

    name = "wasi:random/random"

    @wit("get-random-bytes", U64, returns=BYTES)
    def get_random_bytes(self, count: int) -> bytes:
        return _bytes(count)

    @wit("get-random-u64", returns=U64)
    def get_random_u64(self) -> int:
        return _word()


class Insecure(Interface):
    """`wasi:random/insecure`."""

    name = "wasi:random/insecure"

    @wit("get-insecure-random-bytes", U64, returns=BYTES)
    def get_insecure_random_bytes(self, count: int) -> bytes:
        return _bytes(count)

    @wit("get-insecure-random-u64", returns=U64)
    def get_insecure_random_u64(self) -> int:
        return _word()


class Seed(Interface):
    """`wasi:random/insecure-seed`."""

    name = "wasi:random/insecure-seed"

    @wit("insecure-seed", returns=Tuple(U64, U64))
    def insecure_seed(self) -> tuple[int, int]:
        return _word(), _word()
