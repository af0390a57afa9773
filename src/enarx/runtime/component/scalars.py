# SPDX-License-Identifier: Apache-2.0
"""WIT's types, the simple ones: how each looks as text, and how its values cross between the engine and Python.

WIT                 Python
bool, u8 … u64, s…  bool, int
string              str
list<u8>            bytes (any buffer towards the guest), copied with one stride, not byte by byte
list<T>             list
tuple, record       tuple, in the order of the declaration
variant             Case(name, payload)
enum                str
option<T>           None, or the value
result<T, E>        Ok(value) or Err(value); a host function's own result is returned or raised
flags               frozenset of str
own<R>, borrow<R>   the Python object behind the handle

`take` reads from a list of words, `put` writes to an array of words; `at` is where the val begins.
Source: the component model's canonical ABI; wasmtime/component/val.h.
"""
# ruff: noqa: D102, ARG002 - `take` and `put` are documented in `Type`

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from enarx.runtime.component import capi
from enarx.runtime.component.capi import VAL_SIZE, VAL_WORDS, WORD

if TYPE_CHECKING:
    from enarx.runtime.component.handles import Host

Array = Any
"""A ctypes array of 64-bit words, whose length differs from type to type."""


class Ok(NamedTuple):
    """The good side of a `result` that is a value."""

    value: Any = None


class Err(NamedTuple):
    """The bad side of a `result` that is a value."""

    value: Any = None


class Case(NamedTuple):
    """One case of a variant, with its payload."""

    name: str
    payload: Any = None


def words_at(address: int, count: int) -> Array:
    """The words at an address of the engine's."""
    return (ctypes.c_uint64 * count).from_address(address)


def text_at(size: int, address: int) -> str:
    """A name or string of the engine's, which has validated it."""
    return ctypes.string_at(address, size).decode() if size else ""


def put_text(array: Array, at: int, value: str, host: Host) -> None:
    """Store a name: its size and address."""
    raw = value.encode()
    host.library.wasm_byte_vec_new(ctypes.addressof(array) + WORD * at, len(raw), raw)


def boxed(kind: Type, value: Any, host: Host) -> int:
    """The address of a val by itself, which becomes the owner's of what points there."""
    room = (ctypes.c_uint64 * VAL_WORDS)()
    kind.put(room, 0, value, host)
    made: int = host.library.wasmtime_component_val_new(ctypes.addressof(room))
    return made


class Type:
    """A type of WIT; `text` is the same for the same type, names of aliases apart."""

    text = ""

    def take(self, words: Sequence[int], at: int, host: Host) -> Any:
        """The Python value of a val."""
        raise NotImplementedError

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        """Store a Python value as a val."""
        raise NotImplementedError


class Integer(Type):
    """u8 to u64 and s8 to s64."""

    def __init__(self, text: str, kind: int, bits: int) -> None:
        self.text = text
        self._kind = kind
        self.mask = (1 << bits) - 1
        self._sign = 1 << (bits - 1) if text.startswith("s") else 0

    def take(self, words: Sequence[int], at: int, host: Host) -> int:
        value = words[at + 1] & self.mask
        return (value ^ self._sign) - self._sign

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = self._kind
        array[at + 1] = value & self.mask


class Bool(Type):
    """bool."""

    text = "bool"

    def take(self, words: Sequence[int], at: int, host: Host) -> bool:
        return bool(words[at + 1] & 0xFF)

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.BOOL
        array[at + 1] = bool(value)


class String(Type):
    """string."""

    text = "string"

    def take(self, words: Sequence[int], at: int, host: Host) -> str:
        return text_at(words[at + 1], words[at + 2])

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.STRING
        put_text(array, at + 1, value, host)


class ByteList(Type):
    """list<u8>."""

    text = "list<u8>"

    def take(self, words: Sequence[int], at: int, host: Host) -> bytes:
        size = words[at + 1]
        if not size:
            return b""
        array = (ctypes.c_ubyte * (VAL_SIZE * size)).from_address(words[at + 2])
        return memoryview(array).cast("B")[WORD::VAL_SIZE].tobytes()

    def put(self, array: Array, at: int, value: Any, host: Host) -> None:
        array[at] = capi.LIST
        size = len(value)
        host.library.wasmtime_component_vallist_new_uninit(ctypes.addressof(array) + WORD * (at + 1), size)
        if not size:
            return
        made = bytearray(VAL_SIZE * size)
        made[0::VAL_SIZE] = bytes((capi.U8,)) * size
        made[WORD::VAL_SIZE] = value
        ctypes.memmove(array[at + 2], (ctypes.c_char * len(made)).from_buffer(made), len(made))


BOOL = Bool()
STRING = String()
BYTES = ByteList()
U8, U16 = Integer("u8", capi.U8, 8), Integer("u16", capi.U16, 16)
U32, U64 = Integer("u32", capi.U32, 32), Integer("u64", capi.U64, 64)
S8, S16 = Integer("s8", capi.S8, 8), Integer("s16", capi.S16, 16)
S32, S64 = Integer("s32", capi.S32, 32), Integer("s64", capi.S64, 64)
