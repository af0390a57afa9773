# SPDX-License-Identifier: Apache-2.0
"""Compile a module or take compiled code, link host functions, run the entry point."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from enarx.runtime.engine.capi import (
    EXTERN_FUNC,
    EXTERN_MEMORY,
    HOST_CALL,
    Bytes,
    Extern,
    Instance,
    Library,
)
from enarx.runtime.engine.host import Bridge, Callback, function_type
from enarx.runtime.wasi.memory import GuestMemory

MAX_WASM_STACK = 2 << 20
MOST_VALUES = 1024
"""Room for arguments and results: the engine's implementation limit is 1,000 of each."""
RESERVATION = 4 << 30
"""The whole 32-bit address space: a memory then never moves, and bounds need no checks in code."""
CONFIGURATION = f"reservation={RESERVATION},may-move=0,memory64=0,async=0"
"""What changes the compiled code; part of the key under which it is kept."""


class EngineError(Exception):
    """The engine refused: a module that does not validate, an import with another type."""


class Trapped(Exception):
    """The guest trapped. `text` is the engine's message with the wasm backtrace."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Limits(NamedTuple):
    """What one store may hold; -1 is no limit. `memory` is for each linear memory."""

    memory: int = -1
    table: int = -1
    instances: int = -1
    memories: int = -1

    def shared(self, memories: int) -> Limits:
        """The same for a program with so many linear memories: together they get what one would."""
        if self.memory < 0:
            return self
        count = max(1, memories)
        return self._replace(memory=self.memory // count, memories=count)


def configured(library: Library) -> int:
    """The configuration of an engine, which takes it over."""
    config: int = library.wasm_config_new()
    library.wasmtime_config_memory_reservation_set(config, RESERVATION)
    library.wasmtime_config_memory_may_move_set(config, False)
    library.wasmtime_config_wasm_memory64_set(config, False)
    # WASI 0.2 has no asynchronous functions; and with them enabled, release 50 loses count of the
    # handles that a host function was lent as soon as there are several.
    library.wasmtime_config_wasm_component_model_async_set(config, False)
    library.wasmtime_config_concurrency_support_set(config, False)
    library.wasmtime_config_max_wasm_stack_set(config, MAX_WASM_STACK)
    return config


class Machine:
    """One engine with one store: everything that a single module needs."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.engine = library.wasm_engine_new_with_config(configured(library))
        self._store = library.wasmtime_store_new(self.engine, None, None)
        self._context = library.wasmtime_store_context(self._store)
        self._linker = library.wasmtime_linker_new(self.engine)
        self._kept: list[object] = []

    def _done(self, error: int | None) -> None:
        if error:
            raise EngineError(self.library.error_text(error))

    def limit(self, limits: Limits) -> None:
        """Bound the store; must be called before `instantiate`."""
        self.library.wasmtime_store_limiter(
            self._store, limits.memory, limits.table, limits.instances, -1, limits.memories
        )

    def compile(self, module: bytes) -> int:
        """A module from wasm; EngineError when it does not validate."""
        made = ctypes.c_void_p()
        self._done(self.library.wasmtime_module_new(self.engine, module, len(module), made))
        return made.value or 0

    def serialize(self, module: int) -> bytes:
        """The compiled code of a module, to be loaded again by an engine of the same build."""
        code = Bytes()
        self._done(self.library.wasmtime_module_serialize(module, code))
        return self.library.taken(code)

    def load(self, path: str) -> int:
        """A module from compiled code, which must be trusted: it is mapped and executed."""
        made = ctypes.c_void_p()
        self._done(self.library.wasmtime_module_deserialize_file(self.engine, path.encode(), made))
        return made.value or 0

    def forget(self, module: int) -> None:
        """Release a module that nobody runs."""
        self.library.wasmtime_module_delete(module)

    def define(self, module: str, name: str, shape: str, callback: Callback, *, answers: bool) -> None:
        """Provide one import."""
        call = HOST_CALL(callback)
        self._kept.append(call)
        kind = function_type(self.library, shape, answers=answers)
        space, spelled = module.encode(), name.encode()
        self._done(
            self.library.wasmtime_linker_define_func_unchecked(
                *(self._linker, space, len(space), spelled, len(spelled), kind, call, None, None)
            )
        )
        self.library.wasm_functype_delete(kind)

    def attach(self, memory: GuestMemory, caller: int) -> None:
        """Find the memory of an instance that calls before it is complete."""
        extern = Extern()
        if self.library.wasmtime_caller_export_get(caller, b"memory", 6, extern):
            self._follow(memory, extern)
        else:
            memory.attach(lambda: (0, 0))

    def _follow(self, memory: GuestMemory, extern: Extern) -> None:
        if extern.kind != EXTERN_MEMORY:
            return
        self._kept.append(extern)
        library, context, item = self.library, self._context, extern.item()

        def locate() -> tuple[int, int]:
            size = library.wasmtime_memory_data_size(context, item)
            return library.wasmtime_memory_data(context, item), size

        memory.attach(locate)

    def instantiate(self, module: int, memory: GuestMemory, bridge: Bridge) -> Instance:
        """Link and start; the guest's memory becomes visible to `memory`."""
        instance, trap = Instance(), ctypes.c_void_p()
        error = self.library.wasmtime_linker_instantiate(*(self._linker, self._context, module, instance, trap))
        self._finished(error, trap.value, bridge)
        extern = Extern()
        if self._export(instance, "memory", extern):
            self._follow(memory, extern)
        return instance

    def _export(self, instance: Instance, name: str, into: Extern) -> bool:
        raw = name.encode()
        found: bool = self.library.wasmtime_instance_export_get(self._context, instance, raw, len(raw), into)
        return found

    def call(self, instance: Instance, name: str, bridge: Bridge, *arguments: int) -> int:
        """Call an export with i32 arguments; the first result's low word, which a command ignores."""
        extern, trap = Extern(), ctypes.c_void_p()
        if not self._export(instance, name, extern) or extern.kind != EXTERN_FUNC:
            raise EngineError(f"no function {name!r}")
        room = (ctypes.c_uint32 * (4 * MOST_VALUES))()
        for place, value in enumerate(arguments):
            room[4 * place] = value
        error = self.library.wasmtime_func_call_unchecked(*(self._context, extern.item(), room, MOST_VALUES, trap))
        self._finished(error, trap.value, bridge)
        return room[0]

    def _finished(self, error: int | None, trap: int | None, bridge: Bridge) -> None:
        """Raise what ended the guest: what a host function kept, a trap, or the engine's error."""
        if not error and not trap:
            return
        text = self.library.trap_text(trap) if trap else self.library.error_text(error or 0)
        if bridge.ended is not None:
            raise bridge.ended
        raise Trapped(text) if trap else EngineError(text)
