# SPDX-License-Identifier: Apache-2.0
"""What a component says of itself before it runs: the interfaces that it imports, what it exports.

Reads the sections that name things, and of types as much as it takes to find the next one; the engine
validates the rest. Source: the component model's Binary.md (pre-standard, version 0xd, layer 1).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from enarx.errors import Malformed, Reason
from enarx.workload.wasm import HEADER, Reader, memories

WHAT = "component"
COMMAND = "wasi:cli/run"
HANDLER = "wasi:http/incoming-handler"
_VERSION = re.compile(r"@0\.2\.[0-9]+")

MODULE, COMPONENT, ALIAS, TYPE, IMPORT, EXPORT = 1, 4, 6, 7, 10, 11
"""Sections; all others neither name an import nor add to the types or memories."""
SORT_CORE, SORT_FUNC, SORT_TYPE, SORT_INSTANCE = 0, 1, 3, 5
MOST_DEPTH = 32


class Interface(msgspec.Struct, frozen=True):
    """An import: an interface with the functions that are used of it, or something else without any."""

    name: str
    functions: tuple[str, ...] = ()


class Component(msgspec.Struct, frozen=True):
    """A component's imports, the names of its exports, and how many linear memories are in it."""

    imports: tuple[Interface, ...]
    exports: tuple[str, ...]
    memories: int = 0

    def exported(self, interface: str) -> str | None:
        """The versioned name under which it exports an interface of WASI 0.2, or None."""
        names = (name for name in self.exports if name.startswith(f"{interface}@"))
        return next((name for name in names if _VERSION.fullmatch(name.removeprefix(interface))), None)


def parse(raw: bytes) -> Component:
    """The outline of a component; `Malformed` otherwise."""
    return _Outline(Reader(raw, HEADER, len(raw))).read()


class _Outline:
    """Walks the sections, counting types as the binary format does."""

    def __init__(self, reader: Reader, depth: int = 0) -> None:
        self._reader = reader
        self._depth = depth
        self._memories = 0
        self._types: list[tuple[str, ...]] = []
        self._imports: list[Interface] = []
        self._exports: list[str] = []

    def read(self) -> Component:
        reader = self._reader
        actions = {ALIAS: self._alias, TYPE: self._type, IMPORT: self._import, EXPORT: self._export}
        while reader.at < reader.end:
            section = reader.byte()
            inside = reader.inside(reader.number())
            act = actions.get(section)
            if section == MODULE:
                self._memories += memories(inside)
            elif section == COMPONENT:
                self._memories += _nested(inside, self._depth + 1)
            elif act is not None:
                for _ in range(inside.count()):
                    act(inside)
                inside.done()
        return Component(tuple(self._imports), tuple(self._exports), self._memories)

    def _alias(self, reader: Reader) -> None:
        if _alias(reader):
            self._types.append(())

    def _type(self, reader: Reader) -> None:
        self._types.append(_definition(reader))

    def _import(self, reader: Reader) -> None:
        name, sort, index = _name(reader), *_described(reader)
        if sort == SORT_TYPE:
            self._types.append(())
        functions = self._types[index] if sort == SORT_INSTANCE and index < len(self._types) else ()
        self._imports.append(Interface(name, functions))

    def _export(self, reader: Reader) -> None:
        self._exports.append(_name(reader))
        sort = reader.byte()
        if sort == SORT_CORE:
            reader.byte()
        reader.number()
        if sort == SORT_TYPE:
            self._types.append(())
        if reader.byte():
            _described(reader)


def _nested(reader: Reader, depth: int) -> int:
    """How many linear memories there are in a component inside another."""
    if depth > MOST_DEPTH:
        raise Malformed(Reason.TOO_LARGE, f"{WHAT}: components nested more than {MOST_DEPTH} deep")
    reader.at += min(HEADER, reader.end - reader.at)
    return _Outline(reader, depth).read().memories


def _name(reader: Reader) -> str:
    """An import's or export's name; the form with a version suffix carries that behind it."""
    form = reader.byte()
    name = reader.name()
    if form == 2:
        reader.name()
    elif form > 2:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: a name of form {form}")
    return name


def _described(reader: Reader) -> tuple[int, int]:
    """An `externdesc`: its sort and the index of its type."""
    sort = reader.byte()
    if sort == SORT_CORE:
        reader.byte()
        return sort, reader.number()
    if sort in (2, SORT_TYPE):
        bound = reader.byte()
        if bound == 0 or sort != SORT_TYPE:
            reader.number(33)
        return sort, 0
    if sort > SORT_INSTANCE:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: an import of sort {sort}")
    return sort, reader.number()


def _alias(reader: Reader) -> bool:
    """Skip an alias; whether it adds a type."""
    sort = reader.byte()
    if sort == SORT_CORE:
        reader.byte()
    target = reader.byte()
    reader.number()
    if target == 2:
        reader.number()
    else:
        reader.name()
    return sort == SORT_TYPE


def _definition(reader: Reader, depth: int = 0) -> tuple[str, ...]:
    """Skip a type's definition; the functions that it exports where it is an instance's."""
    if depth > MOST_DEPTH:
        raise Malformed(Reason.TOO_LARGE, f"{WHAT}: types nested more than {MOST_DEPTH} deep")
    form = reader.byte()
    match form:
        case 0x40 | 0x43:
            for _ in range(reader.count()):
                reader.name()
                _value(reader)
            if reader.byte() == 0:
                _value(reader)
            else:
                reader.byte()
        case 0x41 | 0x42:
            found = [_declaration(reader, depth) for _ in range(reader.count())]
            return tuple(name for name in found if name)
        case 0x3E | 0x3F:
            # Its representation (a core type), and the functions that destroy it.
            reader.byte()
            if form == 0x3E:
                reader.number()
            if reader.byte():
                reader.number()
        case _:
            _value_definition(reader, form)
    return ()


def _declaration(reader: Reader, depth: int) -> str:
    """Skip one declaration inside a type; the name of a function that it exports, else ""."""
    kind = reader.byte()
    match kind:
        case 1:
            _definition(reader, depth + 1)
        case 2:
            _alias(reader)
        case 3 | 4:
            name, sort, _ = _name(reader), *_described(reader)
            return name if kind == 4 and sort == SORT_FUNC else ""
        case _:
            raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: a declaration of kind {kind}")
    return ""


def _value(reader: Reader) -> None:
    """A value type: a primitive's byte, or an index; both are one signed LEB128 of 33 bits."""
    reader.number(35)


def _maybe(reader: Reader) -> None:
    if reader.byte():
        _value(reader)


def _value_definition(reader: Reader, form: int) -> None:
    """Skip the definition of a type of values (`defvaltype`)."""
    if form in VECTORS:
        for _ in range(reader.count()):
            for part in VECTORS[form]:
                part(reader)
    elif form in PLAIN:
        for part in PLAIN[form]:
            part(reader)
    elif not 0x73 <= form <= 0x7F:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{WHAT}: a type of form {form:#x}")


VECTORS: dict[int, tuple[Callable[[Reader], object], ...]] = {
    0x72: (Reader.name, _value),
    0x71: (Reader.name, _maybe, Reader.byte),
    0x6F: (_value,),
    0x6E: (Reader.name,),
    0x6D: (Reader.name,),
}
"""record, variant, tuple, flags, enum: what each of their members is made of."""
PLAIN: dict[int, tuple[Callable[[Reader], object], ...]] = {
    0x70: (_value,),
    0x6B: (_value,),
    0x6A: (_maybe, _maybe),
    0x69: (Reader.number,),
    0x68: (Reader.number,),
    0x67: (_value, Reader.number),
    0x66: (_maybe,),
    0x65: (_maybe,),
    0x64: (),
    0x63: (_value, _value),
}
"""list, option, result, own, borrow, list of fixed length, stream, future, error context, map."""
