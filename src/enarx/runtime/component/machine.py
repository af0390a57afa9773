# SPDX-License-Identifier: Apache-2.0
"""Compile a component or take compiled code, link it, and run fresh instances of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from ctypes import addressof, c_void_p
from typing import Any

from enarx.runtime.component.capi import VAL_SIZE, VAL_WORDS, Func, Instance
from enarx.runtime.component.declared import Reader
from enarx.runtime.component.handles import Host, StaleHandle
from enarx.runtime.component.interface import BadCall, Interface, Refused
from enarx.runtime.component.linking import ENDED, Linker
from enarx.runtime.component.types import Type, signature
from enarx.runtime.engine.capi import Bytes, Library
from enarx.runtime.engine.machine import EngineError, Limits, Trapped
from enarx.runtime.wasi.errno import WasiError

GUESTS_FAULT = (BadCall, Refused, StaleHandle, WasiError)
"""What a host function raises when it was called as it must not be: a trap, with the guest's backtrace."""
TRAP_MARKS = ("wasm trap: ", "wasm backtrace:")


class ComponentMachine:
    """One engine, one component, one instance at a time, each in a store of its own."""

    def __init__(self, library: Library, engine: int) -> None:
        self.library = library
        self.host = Host(library)
        self._engine = engine
        self._reader = Reader(library, engine)
        self._linker: Linker | None = None
        self._checked: set[tuple[str, str, str]] = set()

    def _done(self, error: int | None) -> None:
        if error:
            raise EngineError(self.library.error_text(error))

    def compile(self, component: bytes) -> int:
        """A component from wasm; EngineError when it does not validate."""
        made = c_void_p()
        self._done(self.library.wasmtime_component_new(self._engine, component, len(component), made))
        return made.value or 0

    def serialize(self, component: int) -> bytes:
        """The compiled code of a component, to be loaded again by an engine of the same build."""
        code = Bytes()
        self._done(self.library.wasmtime_component_serialize(component, code))
        return self.library.taken(code)

    def load(self, path: str) -> int:
        """A component from compiled code, which must be trusted: it is mapped and executed."""
        made = c_void_p()
        self._done(self.library.wasmtime_component_deserialize_file(self._engine, path.encode(), made))
        return made.value or 0

    def link(self, component: int, interfaces: Mapping[str, Callable[[], Interface]]) -> None:
        """Provide what a component imports; `Mismatch` names what no Keep has."""
        self._linker = Linker(self.host, self._engine, interfaces)
        self._linker.link(self._reader.imports(component))

    def instance(self, component: int, limits: Limits) -> Running:
        """A fresh instance; raises what ended it on its way."""
        if self._linker is None:
            raise EngineError("nothing is linked")
        return Running(self, component, self._linker, limits)

    def check(self, function: Func, context: int, name: tuple[str, str], expected: str) -> None:
        """Look, once, that an export has the type with which it will be called.

        The engine would call it all the same, and its result would be read as what it is not.
        """
        if (*name, expected) in self._checked:
            return
        found = self._reader.function(function, context, self.host.kinds)
        if found != expected:
            said = f"{'.'.join(name)}: the component has {found}, and a Keep expects {expected}"
            raise EngineError(said)
        self._checked.add((*name, expected))

    def new_store(self, limits: Limits) -> int:
        """An empty store within limits."""
        store: int = self.library.wasmtime_store_new(self._engine, None, None)
        self.library.wasmtime_store_limiter(store, limits.memory, limits.table, limits.instances, -1, limits.memories)
        return store

    def finished(self, error: int | None) -> None:
        """Raise what ended the guest: what a host function kept, a trap, or the engine's error."""
        if not error:
            return
        text, ended = self.library.error_text(error), self.host.ended
        if isinstance(ended, GUESTS_FAULT):
            raise Trapped(text.replace(ENDED, str(ended) or type(ended).__name__)) from None
        if ended is not None:
            raise ended
        raise Trapped(text) if any(mark in text for mark in TRAP_MARKS) else EngineError(text)


class Running:
    """An instance; `close` gives back all that it held."""

    def __init__(self, machine: ComponentMachine, component: int, linker: Linker, limits: Limits) -> None:
        self._machine = machine
        self._library = machine.library
        self._store = machine.new_store(limits)
        self._context = self._library.wasmtime_store_context(self._store)
        self._instance = Instance()
        self._functions: dict[tuple[str, str], Func] = {}
        machine.host.begin(self._context)
        try:
            machine.finished(
                self._library.wasmtime_component_linker_instantiate(
                    *(linker.pointer, self._context, component, self._instance)
                )
            )
        except BaseException:
            self.close()
            raise

    def _index(self, inside: int | None, name: str) -> int:
        raw = name.encode()
        found: int | None = self._library.wasmtime_component_instance_get_export_index(
            *(self._instance, self._context, inside, raw, len(raw))
        )
        if not found:
            raise EngineError(f"no export {name!r}")
        return found

    def _function(self, interface: str, name: str, expected: str) -> Func:
        """The function of an exported interface ("wasi:cli/run@0.2.0", "run")."""
        known = self._functions.get((interface, name))
        if known is not None:
            return known
        library, made = self._library, Func()
        outer = self._index(None, interface)
        inner = self._index(outer, name)
        found = library.wasmtime_component_instance_get_func(self._instance, self._context, inner, made)
        library.wasmtime_component_export_index_delete(inner)
        library.wasmtime_component_export_index_delete(outer)
        if not found:
            raise EngineError(f"{interface}.{name} is no function")
        self._machine.check(made, self._context, (interface, name), expected)
        self._functions[interface, name] = made
        return made

    def call(
        self, interface: str, name: str, arguments: Sequence[tuple[Type, Any]] = (), result: Type | None = None
    ) -> Any:
        """Call an exported function; raises what ended the guest."""
        library, host = self._library, self._machine.host
        count = len(arguments)
        function = self._function(interface, name, signature([kind for kind, _ in arguments], result))
        given = (ctypes.c_uint64 * (VAL_WORDS * max(1, count)))()
        answer = (ctypes.c_uint64 * VAL_WORDS)()
        try:
            for place, (kind, value) in enumerate(arguments):
                kind.put(given, VAL_WORDS * place, value, host)
            self._machine.finished(
                library.wasmtime_component_func_call(
                    *(function, self._context, addressof(given), count, addressof(answer), int(result is not None))
                )
            )
            return None if result is None else result.take(answer[:], 0, host)
        finally:
            for place in range(count):
                library.wasmtime_component_val_delete(addressof(given) + VAL_SIZE * place)
            library.wasmtime_component_val_delete(addressof(answer))

    def close(self) -> None:
        """End the instance: its memory, and every resource that it still held."""
        if self._store:
            self._machine.host.finish()
            self._library.wasmtime_store_delete(self._store)
            self._store = 0
