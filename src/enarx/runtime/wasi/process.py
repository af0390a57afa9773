# SPDX-License-Identifier: Apache-2.0
"""Arguments, environment, clocks, randomness and the end of the program."""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`, `directory` or the specification

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from enarx.runtime.wasi.errno import INVAL, NOSYS, WasiError
from enarx.runtime.wasi.memory import GuestMemory

CLOCKS = {
    0: time.CLOCK_REALTIME,
    1: time.CLOCK_MONOTONIC,
    2: time.CLOCK_PROCESS_CPUTIME_ID,
    3: time.CLOCK_THREAD_CPUTIME_ID,
}
MAX_RANDOM = 1 << 20
"""`random_get` fills in pieces of this many bytes, so that a 4 GiB request needs no 4 GiB copy."""


class Ended(Exception):
    """The guest called `proc_exit`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Process:
    """What the guest may know about its own run."""

    def __init__(self, memory: GuestMemory, args: Sequence[bytes] = (), env: Sequence[bytes] = ()) -> None:
        self._memory = memory
        self.know(args, env)

    def know(self, args: Sequence[bytes], env: Sequence[bytes]) -> None:
        """Be told what the guest was started with."""
        self._args = [arg + b"\0" for arg in args]
        self._env = [pair + b"\0" for pair in env]

    def args_get(self, pointers: int, buffer: int) -> int:
        return self._strings(self._args, pointers, buffer)

    def args_sizes_get(self, count: int, size: int) -> int:
        return self._sizes(self._args, count, size)

    def environ_get(self, pointers: int, buffer: int) -> int:
        return self._strings(self._env, pointers, buffer)

    def environ_sizes_get(self, count: int, size: int) -> int:
        return self._sizes(self._env, count, size)

    def _sizes(self, strings: list[bytes], count: int, size: int) -> int:
        self._memory.put_word(count, len(strings))
        self._memory.put_word(size, sum(map(len, strings)))
        return 0

    def _strings(self, strings: list[bytes], pointers: int, buffer: int) -> int:
        for string in strings:
            self._memory.put_word(pointers, buffer)
            self._memory.put(buffer, string)
            pointers += 4
            buffer += len(string)
        return 0

    def clock_res_get(self, clock: int, result: int) -> int:
        resolution = time.clock_getres(_clock(clock))
        self._memory.put_long(result, max(1, int(resolution * 1_000_000_000)))
        return 0

    def clock_time_get(self, clock: int, _precision: int, result: int) -> int:
        self._memory.put_long(result, time.clock_gettime_ns(_clock(clock)))
        return 0

    def random_get(self, buffer: int, length: int) -> int:
        target = self._memory.span(buffer, length)
        for start in range(0, length, MAX_RANDOM):
            piece = target[start : start + MAX_RANDOM]
            piece[:] = os.urandom(len(piece))
        return 0

    def sched_yield(self) -> int:
        os.sched_yield()
        return 0

    def proc_exit(self, code: int) -> int:
        raise Ended(code)

    def proc_raise(self, _signal: int) -> int:
        """No guest can be sent a signal; wasmtime answers the same."""
        raise WasiError(NOSYS)


def _clock(number: int) -> int:
    clock = CLOCKS.get(number)
    if clock is None:
        raise WasiError(INVAL)
    return clock
