# SPDX-License-Identifier: Apache-2.0
"""Host functions on wasmtime's unchecked interface: raw values in, an errno out.

A callback never lets a Python exception through to the engine: what is not an errno ends the guest
with a trap, and the exception is kept for the one who called it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from enarx.runtime.engine.capi import VALTYPE, Bytes, Library
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.errno import NOMEM, WasiError, from_host
from enarx.runtime.wasi.memory import GuestMemory, Unattached

HostFunction = Callable[..., int]
Callback = Callable[[int, int, Any, int], int | None]


class Bridge:
    """Turns functions on integers into callbacks, and keeps what ended the guest."""

    def __init__(self, library: Library, memory: GuestMemory, attach: Callable[[int], None]) -> None:
        self._library = library
        self._memory = memory
        self._attach = attach
        self.ended: BaseException | None = None

    def trap(self, error: BaseException) -> int:
        """Keep the reason and make the trap that unwinds the guest."""
        self.ended = error
        trap: int = self._library.wasmtime_trap_new(b"ended by the host", 17)
        return trap

    def failed(self, error: BaseException, function: HostFunction, values: list[int], caller: int) -> int:
        """The errno for a call that raised; raises what must end the guest."""
        match error:
            case WasiError():
                return error.number
            case OSError():
                return from_host(error)
            case MemoryError():
                return NOMEM
            case Unattached():
                # `at` raises it before a function has done anything: the call starts over.
                self._attach(caller)
                return self._again(function, values, caller)
        raise error

    def _again(self, function: HostFunction, values: list[int], caller: int) -> int:
        try:
            return function(*values)
        except (WasiError, OSError, MemoryError) as error:
            return self.failed(error, function, values, caller)

    def narrow(self, function: HostFunction, count: int) -> Callback:
        """A callback for a function whose `count` parameters are all i32."""
        stop = 4 * count
        failed, trap = self.failed, self.trap

        def call(_env: int, caller: int, raw: Any, _count: int) -> int | None:
            # An empty slice of a pointer with a step is not empty: ctypes gives its first item.
            values = raw[0:stop:4] if stop else []
            try:
                raw[0] = function(*values)
            except BaseException as error:  # noqa: BLE001 - nothing may pass into the engine
                try:
                    raw[0] = failed(error, function, values, caller)
                except BaseException as fatal:  # noqa: BLE001 - nothing may pass into the engine
                    return trap(fatal)
            return None

        return call

    def wide(self, function: HostFunction, shape: str) -> Callback:
        """A callback for a function with i64 parameters: two words each."""
        failed, trap = self.failed, self.trap
        places = [(4 * i, kind == "I") for i, kind in enumerate(shape)]

        def call(_env: int, caller: int, raw: Any, _count: int) -> int | None:
            values = [raw[i] | raw[i + 1] << 32 if long else raw[i] for i, long in places]
            try:
                raw[0] = function(*values)
            except BaseException as error:  # noqa: BLE001 - nothing may pass into the engine
                try:
                    raw[0] = failed(error, function, values, caller)
                except BaseException as fatal:  # noqa: BLE001 - nothing may pass into the engine
                    return trap(fatal)
            return None

        return call

    def one_buffer(self, table: Table, general: HostFunction, *, reading: bool) -> Callback:
        """`fd_read` or `fd_write` of one buffer, its pointers aligned; the rest goes the general way."""
        memory, ready = self._memory, table.readers if reading else table.writers
        at, failed, trap, slow = memory.at, self.failed, self.trap, self.narrow(general, 4)

        def call(env: int, caller: int, raw: Any, room: int) -> int | None:
            fd, vectors, count, result = raw[0:16:4]
            if count != 1 or fd not in ready or (vectors | result) & 3:
                return slow(env, caller, raw, room)
            try:
                at(vectors, 8)
                at(result, 4)
                words, first = memory.words, vectors >> 2
                start, length = words[first], words[first + 1]
                at(start, length)
                words[result >> 2] = ready[fd](memory.view[start : start + length])
                raw[0] = 0
            except BaseException as error:  # noqa: BLE001 - nothing may pass into the engine
                try:
                    raw[0] = failed(error, general, [fd, vectors, count, result], caller)
                except BaseException as fatal:  # noqa: BLE001 - nothing may pass into the engine
                    return trap(fatal)
            return None

        return call


def function_type(library: Library, shape: str, *, answers: bool = True) -> int:
    """A `wasm_functype_t` with the parameters of a shape and at most one i32 result."""
    made: int = library.wasm_functype_new(_types(library, shape), _types(library, "i" if answers else ""))
    return made


def _types(library: Library, shape: str) -> Bytes:
    values = [library.wasm_valtype_new(VALTYPE[kind]) for kind in shape]
    array = (ctypes.c_void_p * len(values))(*values)
    vector = Bytes()
    library.wasm_valtype_vec_new(vector, len(values), array)
    return vector
