# SPDX-License-Identifier: Apache-2.0
"""Every host function of WASI 0.2 with hostile arguments of the right types, and its answers put into the engine.

The only endings are an answer of the declared type, its bad side, a trap, and the guest's own end.
"""

from __future__ import annotations

import ctypes
import random
import signal
import socket
from typing import Any

from host import PATIENCE, Waited

from enarx.runtime.component import types
from enarx.runtime.component.capi import VAL_WORDS
from enarx.runtime.component.grants import Grants
from enarx.runtime.component.handles import Host, StaleHandle
from enarx.runtime.component.interface import BadCall, Function, Interface, Refused
from enarx.runtime.component.launch import Launch
from enarx.runtime.component.scalars import Bool, ByteList, Case, Integer, Ok, String, Type
from enarx.runtime.component.types import Borrow, Enum, Flags, List, Option, Own, Record, Tuple, Variant
from enarx.runtime.component.world import WHERE, members
from enarx.runtime.engine.capi import Library, library_path
from enarx.runtime.engine.machine import Machine
from enarx.runtime.guest.tree import root
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.errno import WasiError
from enarx.runtime.wasi.process import Ended
from enarx.runtime.wasi.socket import Connection
from enarx.runtime.wasi.stream import Exhausted, Null, Script

NUMBERS = (0, 1, 2, 3, 7, 80, 4096, 4097, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1)
TEXTS = ("", ".", "..", "/", "tmp", "tmp/a", "tmp/b/", "../x", "/etc/passwd", "dev/null", "dev/urandom", "tmp/../tmp/c")
TEXTS += (
    "a\0b",
    "tmp/" + "x" * 300,
    "x/" * 3000,
    "\U0010ffff",
    "localhost",
    "127.0.0.1",
    "::1",
    "999.1.1.1",
    "a..b",
    ":",
)
MACHINE = Machine(Library(library_path()))
ENDINGS = (Refused, WasiError, OSError, MemoryError, BadCall, Ended, Exhausted, StaleHandle, Waited)


class Guest:
    """Interfaces over files, streams and a connection; and the objects that they have given out."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.host = Host(MACHINE.library)
        self.store = MACHINE.library.wasmtime_store_new(MACHINE.engine, None, None)
        self.host.begin(MACHINE.library.wasmtime_store_context(self.store))
        table = Table(32)
        self.ends = socket.socketpair()
        self.ends[0].send(b"x" * 100)
        for descriptor in (Script(b"input"), Null(), Null(), Connection(self.ends[1].detach(), rights.NONBLOCK)):
            table.add(descriptor)
        table.put(4, root(-1, 1 << 20))
        self.table = table
        grants = Grants({}, {3: "localhost:80"}, frozenset({"default"}), 4)
        launch = Launch(["main.wasm"], [("A", "1")], table, grants)
        classes = [one for where in WHERE.values() for one in members(where)]
        self.calls: list[tuple[Interface, Function, str]] = []
        for one in classes:
            made = one(launch)
            self.calls += [(made, function, method) for function, method in one.functions()]
        self.objects: dict[str, list[Any]] = {}

    def value(self, kind: Type) -> Any:
        """A value of a type; an object that was given out for a handle, also one that was dropped."""
        chance = self.chance
        match kind:
            case Integer():
                made: Any = chance.choice(NUMBERS) & kind.mask
            case Bool():
                made = chance.random() < 0.5
            case String():
                made = chance.choice(TEXTS)
            case ByteList():
                made = bytes(chance.choice((0, 1, 5000, 70000)))
            case Enum():
                made = chance.choice(sorted(kind.names))
            case Flags():
                made = frozenset(name for name in kind.names if chance.random() < 0.3)
            case Borrow() | Own():
                made = chance.choice(self.objects[kind.resource])
            case _:
                made = self.composed(kind)
        return made

    def composed(self, kind: Type) -> Any:
        """A value of a type that is made of others."""
        match kind:
            case Option():
                return None if self.chance.random() < 0.3 else self.value(kind.inner)
            case List():
                return [self.value(kind.element) for _ in range(self.chance.randrange(4))]
            case Tuple():
                return tuple(map(self.value, kind.elements))
            case Record():
                return tuple(self.value(one) for _, one in kind.fields)
            case Variant():
                name, payload = self.chance.choice(list(kind.cases.items()))
                return Case(name, payload and self.value(payload))
            case _:
                return types.Ok()

    def attempt(self) -> None:
        """One call, whose answer is put into the engine as a guest's would be."""
        interface, function, method = self.chance.choice(self.calls)
        try:
            arguments = [self.value(kind) for kind in function.parameters]
        except KeyError:
            return
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            answer = getattr(interface, method)(*arguments)
        except ENDINGS:
            return
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.keep(function.result, answer)

    def keep(self, kind: Type | None, answer: Any) -> None:
        """Remember handles; the rest crosses into the engine and back."""
        if isinstance(kind, types.Result):
            kind = kind.good
        if kind is None:
            return
        if isinstance(kind, Own):
            self.objects.setdefault(kind.resource, []).append(answer)
        elif "own<" not in kind.text:
            room = (ctypes.c_uint64 * VAL_WORDS)()
            kind.put(room, 0, answer, self.host)
            kind.take(room[:], 0, self.host)
            MACHINE.library.wasmtime_component_val_delete(ctypes.addressof(room))
        elif isinstance(kind, Tuple):
            for part, one in zip(kind.elements, answer, strict=True):
                self.keep(part, one)
        elif isinstance(kind, List):
            for one in answer:
                self.keep(kind.element, one)

    def close(self) -> None:
        """Drop some handles twice, as no engine would; then everything."""
        for objects in self.objects.values():
            for one in objects:
                signal.setitimer(signal.ITIMER_REAL, PATIENCE)
                try:
                    one.drop()
                except ENDINGS:
                    pass
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
        for descriptor in list(self.table.open.values()):
            descriptor.close()
        self.ends[0].close()
        MACHINE.library.wasmtime_store_delete(self.store)


def _interrupt(*_: object) -> None:
    raise Waited


def target(data: bytes) -> None:
    """Two hundred calls that the data choose."""
    signal.signal(signal.SIGALRM, _interrupt)
    guest = Guest(random.Random(data))
    for _ in range(200):
        guest.attempt()
    guest.close()


if __name__ == "__main__":
    import driver

    driver.main(
        target, [bytes(16), b"\xff" * 32, bytes(range(64)), *(bytes([n]) for n in range(20)), repr(Ok()).encode()]
    )
