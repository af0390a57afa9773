# SPDX-License-Identifier: Apache-2.0
"""What a compiled component expects of its host, read through the engine.

The engine checks the values that cross, never that a host function is what the component takes it
for: a component may declare `wasi:random/random` with types of its own. So types are compared here,
as text, before anything is linked. Source: wasmtime/component/types/*.h.
"""

from __future__ import annotations

import ctypes
from ctypes import addressof, c_bool, c_size_t, c_void_p
from typing import NamedTuple

from enarx.runtime.component import capi
from enarx.runtime.component.capi import Func, Words
from enarx.runtime.engine.capi import Library

PRIMITIVE = ("bool", "s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64", "f32", "f64", "char", "string")
LIST, RECORD, TUPLE, VARIANT, ENUM, OPTION, RESULT, FLAGS, OWN, BORROW = range(13, 23)


class Wanted(NamedTuple):
    """An interface that a component imports: its functions with their types, its resources."""

    name: str
    functions: dict[str, str]
    resources: list[str]


ALIASES = {"headers": "fields", "trailers": "fields", "io-error": "error"}
"""Resources that an interface of WASI exports under a second name."""


class Reader:
    """Reads one component's type."""

    def __init__(self, library: Library, engine: int) -> None:
        self._library = library
        self._engine = engine
        self._resources: list[tuple[int, str]] = []

    def imports(self, component: int) -> list[Wanted]:
        """Every import; one that is no interface has neither functions nor resources."""
        library = self._library
        kind = library.wasmtime_component_type(component)
        found = []
        for name, item in self._items("component_type_import", kind):
            wanted = Wanted(name, {}, [])
            if item.of[0] & 0xFF == capi.ITEM_INSTANCE:
                self._instance(item.of[1], wanted)
            library.wasmtime_component_item_delete(addressof(item))
            found.append(wanted)
        library.wasmtime_component_type_delete(kind)
        self._forget()
        return found

    def function(self, function: Func, context: int, kinds: dict[str, int]) -> str:
        """The type of an exported function; `kinds` numbers the host's resources by their names."""
        library = self._library
        self._resources = [
            (library.wasmtime_component_resource_type_new_host(number), name) for name, number in kinds.items()
        ]
        kind = library.wasmtime_component_func_type(function, context)
        text = self._function(kind)
        library.wasmtime_component_func_type_delete(kind)
        self._forget()
        return text

    def _forget(self) -> None:
        for resource, _ in self._resources:
            self._library.wasmtime_component_resource_type_delete(resource)
        self._resources.clear()

    def _items(self, family: str, kind: int) -> list[tuple[str, Words]]:
        library = self._library
        count = getattr(library, f"wasmtime_{family}_count")(kind, self._engine)
        nth = getattr(library, f"wasmtime_{family}_nth")
        found = []
        for place in range(count):
            name, size, extern, item = c_void_p(), c_size_t(), c_void_p(), Words()
            nth(kind, self._engine, place, name, size, extern)
            library.wasmtime_component_extern_type(extern, addressof(item))
            library.wasmtime_component_extern_delete(extern)
            found.append((ctypes.string_at(name.value or 0, size.value).decode(), item))
        return found

    def _instance(self, kind: int, wanted: Wanted) -> None:
        items = self._items("component_instance_type_export", kind)
        for name, item in items:
            if item.of[0] & 0xFF == capi.ITEM_RESOURCE:
                wanted.resources.append(name)
                known = self._library.wasmtime_component_resource_type_clone(item.of[1])
                self._resources.append((known, ALIASES.get(name, name)))
        for name, item in items:
            if item.of[0] & 0xFF == capi.ITEM_FUNC:
                wanted.functions[name] = self._function(item.of[1])
        for _, item in items:
            self._library.wasmtime_component_item_delete(addressof(item))

    def _function(self, kind: int) -> str:
        library = self._library
        count = library.wasmtime_component_func_type_param_count(kind)
        parameters = [self._field("func_type_param_nth", kind, place)[1] for place in range(count)]
        room = Words()
        given = library.wasmtime_component_func_type_result(kind, addressof(room))
        return f"({','.join(parameters)})->{self._taken(room) if given else '_'}"

    def _field(self, family: str, kind: int, place: int) -> tuple[str, str]:
        name, size, room = c_void_p(), c_size_t(), Words()
        getattr(self._library, f"wasmtime_component_{family}")(kind, place, name, size, addressof(room))
        return ctypes.string_at(name.value or 0, size.value).decode(), self._taken(room)

    def _names(self, family: str, kind: int) -> str:
        library = self._library
        count = getattr(library, f"wasmtime_component_{family}_type_names_count")(kind)
        nth = getattr(library, f"wasmtime_component_{family}_type_names_nth")
        found = []
        for place in range(count):
            name, size = c_void_p(), c_size_t()
            nth(kind, place, name, size)
            found.append(ctypes.string_at(name.value or 0, size.value).decode())
        return ",".join(found)

    def _taken(self, room: Words) -> str:
        text = self._text(room.of[0] & 0xFF, room.of[1])
        self._library.wasmtime_component_valtype_delete(addressof(room))
        return text

    def _text(self, tag: int, kind: int) -> str:
        library = self._library
        match tag:
            case _ if tag < len(PRIMITIVE):
                return PRIMITIVE[tag]
            case _ if tag in (LIST, OPTION):
                inner, name = Words(), "list" if tag == LIST else "option"
                part = "list_type_element" if tag == LIST else "option_type_ty"
                getattr(library, f"wasmtime_component_{part}")(kind, addressof(inner))
                return f"{name}<{self._taken(inner)}>"
            case _ if tag == RECORD:
                count = library.wasmtime_component_record_type_field_count(kind)
                fields = [self._field("record_type_field_nth", kind, place) for place in range(count)]
                return f"record{{{','.join(f'{name}:{text}' for name, text in fields)}}}"
            case _ if tag in (ENUM, FLAGS):
                family = "enum" if tag == ENUM else "flags"
                return f"{family}{{{self._names(family, kind)}}}"
            case _ if tag in (OWN, BORROW):
                return f"{'own' if tag == OWN else 'borrow'}<{self._resource(kind)}>"
            case _:
                return self._composed(tag, kind)

    def _composed(self, tag: int, kind: int) -> str:
        library = self._library
        if tag == TUPLE:
            parts = []
            for place in range(library.wasmtime_component_tuple_type_types_count(kind)):
                room = Words()
                library.wasmtime_component_tuple_type_types_nth(kind, place, addressof(room))
                parts.append(self._taken(room))
            return f"tuple<{','.join(parts)}>"
        if tag == RESULT:
            sides = []
            for side in ("ok", "err"):
                room = Words()
                given = getattr(library, f"wasmtime_component_result_type_{side}")(kind, addressof(room))
                sides.append(self._taken(room) if given else "_")
            return f"result<{','.join(sides)}>"
        if tag == VARIANT:
            count = library.wasmtime_component_variant_type_case_count(kind)
            return f"variant{{{','.join(self._case(kind, place) for place in range(count))}}}"
        return f"unknown<{tag}>"

    def _case(self, kind: int, place: int) -> str:
        name, size, given, room = c_void_p(), c_size_t(), c_bool(), Words()
        self._library.wasmtime_component_variant_type_case_nth(kind, place, name, size, given, addressof(room))
        shown = ctypes.string_at(name.value or 0, size.value).decode()
        return f"{shown}({self._taken(room)})" if given.value else shown

    def _resource(self, kind: int) -> str:
        equal = self._library.wasmtime_component_resource_type_equal
        return next((name for known, name in self._resources if equal(known, kind)), "?")
