# SPDX-License-Identifier: Apache-2.0
"""WIT's composed types: lists, tuples, records, variants, results, flags and handles."""
# ruff: noqa: D102, ARG002 - `take` and `put` are documented in `Type`

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from enarx.runtime.component import capi
from enarx.runtime.component.capi import ENTRY_WORDS, VAL_WORDS, WORD
from enarx.runtime.component.scalars import (
    BOOL,
    BYTES,
    S8,
    S16,
    S32,
    S64,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Array,
    Case,
    Err,
    Ok,
    Type,
    boxed,
    put_text,
    text_at,
    words_at,
)

if TYPE_CHECKING:
    from enarx.runtime.component.handles import Host


class List(Type):
    """list<T> of anything but u8."""

    def __init__(self, element: Type) -> None:
        self.text = f"list<{element.text}>"
        self.element = element

    def take(self, words: Sequence[int], at: int, host: Host) -> list[Any]:
        count = words[at + 1]
        if not count:
            return []
        inside = words_at(words[at + 2], VAL_WORDS * count)[:]
        take = self.element.take
        return [take(inside, place, host) for place in range(0, VAL_WORDS * count, VAL_WORDS)]

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.LIST
        host.library.wasmtime_component_vallist_new_uninit(ctypes.addressof(array) + WORD * (at + 1), len(value))
        if not value:
            return
        inside = words_at(array[at + 2], VAL_WORDS * len(value))
        for place, one in enumerate(value):
            self.element.put(inside, VAL_WORDS * place, one, host)


class Tuple(Type):
    """tuple<…>."""

    def __init__(self, *elements: Type) -> None:
        self.text = f"tuple<{','.join(one.text for one in elements)}>"
        self.elements = elements

    def take(self, words: Sequence[int], at: int, host: Host) -> tuple[Any, ...]:
        inside = words_at(words[at + 2], VAL_WORDS * len(self.elements))[:]
        return tuple(one.take(inside, VAL_WORDS * i, host) for i, one in enumerate(self.elements))

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.TUPLE
        count = len(self.elements)
        host.library.wasmtime_component_valtuple_new_uninit(ctypes.addressof(array) + WORD * (at + 1), count)
        inside = words_at(array[at + 2], VAL_WORDS * count)
        for place, (kind, one) in enumerate(zip(self.elements, value, strict=True)):
            kind.put(inside, VAL_WORDS * place, one, host)


class Record(Type):
    """record { … }."""

    def __init__(self, **fields: Type) -> None:
        self.fields = [(name.rstrip("_").replace("_", "-"), kind) for name, kind in fields.items()]
        self.text = f"record{{{','.join(f'{name}:{kind.text}' for name, kind in self.fields)}}}"

    def take(self, words: Sequence[int], at: int, host: Host) -> tuple[Any, ...]:
        inside = words_at(words[at + 2], ENTRY_WORDS * len(self.fields))[:]
        return tuple(kind.take(inside, ENTRY_WORDS * i + 2, host) for i, (_, kind) in enumerate(self.fields))

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.RECORD
        count = len(self.fields)
        host.library.wasmtime_component_valrecord_new_uninit(ctypes.addressof(array) + WORD * (at + 1), count)
        inside = words_at(array[at + 2], ENTRY_WORDS * count)
        for place, ((name, kind), one) in enumerate(zip(self.fields, value, strict=True)):
            put_text(inside, ENTRY_WORDS * place, name, host)
            kind.put(inside, ENTRY_WORDS * place + 2, one, host)


class Variant(Type):
    """variant { … }; None is a case without payload."""

    def __init__(self, cases: dict[str, Type | None]) -> None:
        self.cases = cases
        shown = (name if kind is None else f"{name}({kind.text})" for name, kind in cases.items())
        self.text = f"variant{{{','.join(shown)}}}"

    def take(self, words: Sequence[int], at: int, host: Host) -> Case:
        name = text_at(words[at + 1], words[at + 2])
        kind = self.cases[name]
        return Case(name, kind and kind.take(words_at(words[at + 3], VAL_WORDS)[:], 0, host))

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        name, payload = value
        kind = self.cases[name]
        array[at] = capi.VARIANT
        put_text(array, at + 1, name, host)
        array[at + 3] = 0 if kind is None else boxed(kind, payload, host)


class Enum(Type):
    """enum { … }."""

    def __init__(self, *names: str) -> None:
        self.text = f"enum{{{','.join(names)}}}"
        self.names = frozenset(names)

    def take(self, words: Sequence[int], at: int, host: Host) -> str:
        return text_at(words[at + 1], words[at + 2])

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.ENUM
        put_text(array, at + 1, value, host)


class Option(Type):
    """option<T>."""

    def __init__(self, inner: Type) -> None:
        self.text = f"option<{inner.text}>"
        self.inner = inner

    def take(self, words: Sequence[int], at: int, host: Host) -> Any:
        return self.inner.take(words_at(words[at + 1], VAL_WORDS)[:], 0, host) if words[at + 1] else None

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.OPTION
        array[at + 1] = 0 if value is None else boxed(self.inner, value, host)


class Result(Type):
    """result<T, E>; either may be missing."""

    def __init__(self, good: Type | None = None, bad: Type | None = None) -> None:
        self.good, self.bad = good, bad
        self.text = f"result<{good.text if good else '_'},{bad.text if bad else '_'}>"

    def take(self, words: Sequence[int], at: int, host: Host) -> Ok | Err:
        fine = bool(words[at + 1] & 0xFF)
        kind = self.good if fine else self.bad
        inside = kind.take(words_at(words[at + 2], VAL_WORDS)[:], 0, host) if kind and words[at + 2] else None
        return Ok(inside) if fine else Err(inside)

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        fine = isinstance(value, Ok)
        kind = self.good if fine else self.bad
        array[at] = capi.RESULT
        array[at + 1] = fine
        array[at + 2] = 0 if kind is None else boxed(kind, value.value, host)


class Flags(Type):
    """flags { … }."""

    def __init__(self, *names: str) -> None:
        self.text = f"flags{{{','.join(names)}}}"
        self.names = frozenset(names)

    def take(self, words: Sequence[int], at: int, host: Host) -> frozenset[str]:
        count = words[at + 1]
        if not count:
            return frozenset()
        inside = words_at(words[at + 2], 2 * count)[:]
        return frozenset(text_at(inside[i], inside[i + 1]) for i in range(0, 2 * count, 2))

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.FLAGS
        host.library.wasmtime_component_valflags_new_uninit(ctypes.addressof(array) + WORD * (at + 1), len(value))
        if not value:
            return
        inside = words_at(array[at + 2], 2 * len(value))
        for place, name in enumerate(value):
            put_text(inside, 2 * place, name, host)


class Borrow(Type):
    """borrow<R>: the guest keeps its handle."""

    def __init__(self, resource: str) -> None:
        self.text = f"borrow<{resource}>"
        self.resource = resource

    def take(self, words: Sequence[int], at: int, host: Host) -> Any:
        return host.borrowed(words[at + 1])


class Own(Type):
    """own<R>: the handle changes hands."""

    def __init__(self, resource: str) -> None:
        self.text = f"own<{resource}>"
        self.resource = resource

    def take(self, words: Sequence[int], at: int, host: Host) -> Any:
        return host.given(words[at + 1])

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.RESOURCE
        array[at + 1] = host.give(self.resource, value)


def signature(parameters: Sequence[Type], result: Type | None) -> str:
    """The text of a function's type."""
    return f"({','.join(one.text for one in parameters)})->{result.text if result else '_'}"


__all__ = [
    "BOOL",
    "BYTES",
    "S8",
    "S16",
    "S32",
    "S64",
    "STRING",
    "U8",
    "U16",
    "U32",
    "U64",
    "Borrow",
    "Case",
    "Enum",
    "Err",
    "Flags",
    "List",
    "Ok",
    "Option",
    "Own",
    "Record",
    "Result",
    "Tuple",
    "Type",
    "Variant",
    "signature",
]
