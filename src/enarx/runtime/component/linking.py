# SPDX-License-Identifier: Apache-2.0
"""Interfaces become what a component's imports are linked to.

A callback never lets a Python exception through to the engine: what is no answer ends the guest,
and the exception is kept for the one who called it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from ctypes import c_void_p
from typing import Any

from enarx.runtime.component import capi
from enarx.runtime.component.capi import VAL_WORDS
from enarx.runtime.component.declared import ALIASES, Wanted
from enarx.runtime.component.handles import Host
from enarx.runtime.component.interface import Function, Interface, Refused, unversioned
from enarx.runtime.component.scalars import Err, Ok, words_at
from enarx.runtime.engine.machine import EngineError
from enarx.runtime.wasi.errno import WasiError

ENDED = "ended by the host"
"""What the engine is told; it comes back behind a backtrace."""
HostCall = Callable[[int, int, int, int, int, int, int], int | None]


class Mismatch(EngineError):
    """A component imports something that no Keep has, or takes it for something else."""


class Linker:
    """Defines imports of a component; interfaces are made when they are first asked for."""

    def __init__(self, host: Host, engine: int, interfaces: Mapping[str, Callable[[], Interface]]) -> None:
        self._host = host
        self._library = host.library
        self._interfaces = interfaces
        self.pointer: int = host.library.wasmtime_component_linker_new(engine)
        self._kept: list[object] = []

    def link(self, wanted: Sequence[Wanted]) -> None:
        """Provide every import; `Mismatch` names one that cannot be provided."""
        root = self._library.wasmtime_component_linker_root(self.pointer)
        for one in wanted:
            self._provide(root, one)
        self._library.wasmtime_component_linker_instance_delete(root)

    def _provide(self, root: int, wanted: Wanted) -> None:
        make = self._interfaces.get(unversioned(wanted.name) or "")
        if make is None:
            raise Mismatch(wanted.name)
        interface, inside, spelled = make(), c_void_p(), wanted.name.encode()
        self._done(self._library.wasmtime_component_linker_instance_add_instance(root, spelled, len(spelled), inside))
        for resource in wanted.resources:
            self._resource(inside.value or 0, resource)
        known = {function.name: (function, method) for function, method in interface.functions()}
        for name, text in wanted.functions.items():
            if name not in known:
                raise Mismatch(f"{wanted.name}.{name}")
            function, method = known[name]
            if function.text != text:
                said = f"{wanted.name}.{name}: the component expects {text}, and a Keep has {function.text}"
                raise Mismatch(said)
            self._function(inside.value or 0, function, interface, getattr(interface, method))
        self._library.wasmtime_component_linker_instance_delete(inside)

    def _done(self, error: int | None) -> None:
        if error:
            raise EngineError(self._library.error_text(error))

    def _resource(self, inside: int, name: str) -> None:
        dropped = capi.DROPPED(self._dropper())
        self._kept.append(dropped)
        kind = self._library.wasmtime_component_resource_type_new_host(self._host.kind(ALIASES.get(name, name)))
        raw = name.encode()
        self._done(
            self._library.wasmtime_component_linker_instance_add_resource(
                *(inside, raw, len(raw), kind, dropped, None, None)
            )
        )
        self._library.wasmtime_component_resource_type_delete(kind)

    def _dropper(self) -> Callable[[int, int, int], int | None]:
        host = self._host

        def drop(_env: int, _context: int, rep: int) -> int | None:
            try:
                host.dropped(rep)
            except BaseException as error:  # noqa: BLE001 - nothing may pass into the engine
                return ending(host, error)
            return None

        return drop

    def _function(self, inside: int, function: Function, interface: Interface, method: Callable[..., Any]) -> None:
        call = capi.HOST_CALL(callback(self._host, function, interface, method))
        self._kept.append(call)
        raw = function.name.encode()
        self._done(
            self._library.wasmtime_component_linker_instance_add_func(*(inside, raw, len(raw), call, None, None))
        )


def ending(host: Host, error: BaseException) -> int:
    """Keep why the guest ends, and make the error that unwinds it."""
    host.ended = error
    made: int = host.library.wasmtime_error_new(ENDED.encode())
    return made


def callback(host: Host, function: Function, interface: Interface, method: Callable[..., Any]) -> HostCall:
    """What the engine calls for a function: arguments in, the method, its result out."""
    answer = _answer(host, function)
    room = ctypes.c_uint64 * (VAL_WORDS * len(function.parameters))
    takes = [(kind.take, VAL_WORDS * place) for place, kind in enumerate(function.parameters)]
    fallible, refusal = function.fallible, interface.refusal

    def call(_env: int, _context: int, _type: int, given: int, _given: int, results: int, _results: int) -> int | None:
        try:
            words = room.from_address(given)[:] if takes else ()
            try:
                value = method(*[take(words, at, host) for take, at in takes])
            except Refused as refused:
                if fallible is None:
                    raise
                answer(results, Err(refused.value))
            except (WasiError, OSError, MemoryError) as error:
                if fallible is None:
                    raise
                answer(results, Err(refusal(error)))
            else:
                answer(results, Ok(value) if fallible else value)
        except BaseException as error:  # noqa: BLE001 - nothing may pass into the engine
            return ending(host, error)
        return None

    return call


def _answer(host: Host, function: Function) -> Callable[[int, Any], None]:
    """What stores a function's result."""
    kind = function.result
    if kind is None:
        return lambda _results, _value: None

    def store(results: int, value: Any) -> None:
        array = words_at(results, VAL_WORDS)
        try:
            kind.put(array, 0, value, host)
        except BaseException:
            # What is half made must not be looked at: a `bool` owns nothing.
            array[0] = capi.BOOL
            raise

    return store
