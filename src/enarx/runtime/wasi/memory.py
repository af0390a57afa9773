# SPDX-License-Identifier: Apache-2.0
"""The guest's memory, and the one function that every pointer of the guest passes.

A linear memory never shrinks, and with `memory_may_move` off it never moves: a size seen once
stays a safe lower bound, so the engine is asked again only when an access would exceed it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from struct import Struct

from enarx.runtime.wasi.errno import FAULT, WasiError

PAIR = Struct("<II")
WORD = Struct("<I")
LONG = Struct("<Q")
MAX_VECTORS = 1024
"""POSIX `IOV_MAX` of Linux; a longer list is served as a short read or write."""


class Unattached(Exception):
    """A host function was called before the instance's memory was known (wasm `start`)."""


class GuestMemory:
    """Linear memory of the one instance: `view` spans exactly the bytes it is known to have.

    words  the same as aligned u32: reading one there costs a third of unpacking it. The machines that
           a Keep runs on order bytes as wasm does.
    """

    __slots__ = ("_locate", "size", "view", "words")

    def __init__(self) -> None:
        self.size = 0
        self.view = memoryview(b"")
        self.words = self.view.cast("I")
        self._locate: Callable[[], tuple[int, int]] | None = None

    def attach(self, locate: Callable[[], tuple[int, int]]) -> None:
        """Ask `locate` for address and size in bytes, now and whenever the guest may have grown."""
        self._locate = locate
        self._look()

    def _look(self) -> None:
        if self._locate is None:
            raise Unattached
        address, self.size = self._locate()
        array = (ctypes.c_ubyte * self.size).from_address(address) if self.size else b""
        self.view = memoryview(array).cast("B")
        self.words = self.view[: self.size & ~3].cast("I")

    def at(self, pointer: int, length: int) -> int:
        """`pointer`, if `length` bytes of the guest's memory begin there; else errno FAULT.

        Look at `view` or `words` after this, never before: memory that has grown gets a new one.
        """
        if pointer + length > self.size:
            self._look()
            if pointer + length > self.size:
                raise WasiError(FAULT)
        return pointer

    def span(self, pointer: int, length: int) -> memoryview:
        """The `length` bytes at `pointer`, to read and to write."""
        start = self.at(pointer, length)
        return self.view[start : start + length]

    def text(self, pointer: int, length: int) -> bytes:
        """A copy of `length` bytes at `pointer`."""
        return bytes(self.span(pointer, length))

    def vectors(self, pointer: int, count: int) -> list[memoryview]:
        """The buffers of a list of `iovec` or `ciovec` (pointer and length, 32 bits each)."""
        start = self.at(pointer, 8 * count)
        end = start + 8 * min(count, MAX_VECTORS)
        pairs = PAIR.iter_unpack(self.view[start:end])
        return [self.span(base, length) for base, length in pairs]

    def put_word(self, pointer: int, value: int) -> None:
        """Store a u32."""
        place = self.at(pointer, 4)
        WORD.pack_into(self.view, place, value & 0xFFFFFFFF)

    def put_long(self, pointer: int, value: int) -> None:
        """Store a u64."""
        place = self.at(pointer, 8)
        LONG.pack_into(self.view, place, value & 0xFFFFFFFFFFFFFFFF)

    def put(self, pointer: int, raw: bytes) -> None:
        """Store bytes."""
        self.span(pointer, len(raw))[:] = raw
