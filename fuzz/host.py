# SPDX-License-Identifier: Apache-2.0
"""Every host function of preview 1 with hostile arguments over a hostile memory.

The only endings are an errno and `proc_exit`; nothing outside the guest's memory changes, and nothing
waits for long.
"""

from __future__ import annotations

import ctypes
import random
import signal
import socket
from collections.abc import Callable
from typing import Any

from enarx.runtime.guest.tree import root
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.errno import WasiError
from enarx.runtime.wasi.fd import Descriptors, Sockets
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.path import Paths
from enarx.runtime.wasi.poll import Poll
from enarx.runtime.wasi.process import Ended, Process
from enarx.runtime.wasi.signature import PARAMETERS
from enarx.runtime.wasi.socket import Connection
from enarx.runtime.wasi.stream import Null, Script

SIZE = 1 << 16
GUARD = 4096
WORDS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    64,
    100,
    SIZE - 8,
    SIZE - 4,
    SIZE - 1,
    SIZE,
    SIZE + 1,
    1 << 31,
    (1 << 32) - 8,
    (1 << 32) - 1,
)
LONGS = (*WORDS, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
PATHS = (b"tmp/a\0", b"../x\0", b"/etc\0", b"dev/null\0", b"tmp/../tmp/b\0", b"\xff\xfe\0", b"tmp/a/\0", b".\0")
PATIENCE = 0.05


class Waited(Exception):
    """A call would have waited; it was interrupted as a signal would do it."""


class Guest:
    """Host functions over a memory with guards on both sides."""

    def __init__(self, filling: bytes) -> None:
        self.space = (ctypes.c_ubyte * (SIZE + 2 * GUARD))(*[0xA5] * (SIZE + 2 * GUARD))
        inside = memoryview(self.space).cast("B")[GUARD : GUARD + SIZE]
        inside[:] = (filling * (SIZE // max(1, len(filling)) + 1))[:SIZE].ljust(SIZE, b"\0")
        for number, path in enumerate(PATHS):
            inside[100 + 16 * number : 100 + 16 * number + len(path)] = path
        memory = GuestMemory()
        memory.attach(lambda: (ctypes.addressof(self.space) + GUARD, SIZE))
        table = Table(32)
        self.ends = socket.socketpair()
        self.ends[0].send(b"x" * 100)
        for descriptor in (Null(), Script(b"input"), Null(), Connection(self.ends[1].detach(), rights.NONBLOCK)):
            table.add(descriptor)
        table.put(4, root(-1, 1 << 20))
        self.table = table
        self.parts = {
            "fd": Descriptors(memory, table),
            "sock": Sockets(memory, table, 4),
            "poll": Poll(memory, table),
            "path": Paths(memory, table),
        }
        self.process = Process(memory, [b"main.wasm"], [b"A=1"])

    def function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self.parts.get(name.partition("_")[0], self.process), name)
        return function

    def close(self) -> None:
        for descriptor in list(self.table.open.values()):
            descriptor.close()
        self.ends[0].close()

    def guards(self) -> bytes:
        return bytes(self.space[:GUARD]) + bytes(self.space[GUARD + SIZE :])


def _interrupt(*_: object) -> None:
    raise Waited


def target(data: bytes) -> None:
    """Sixty-four calls that the data choose."""
    chance = random.Random(data)
    guest = Guest(data)
    signal.signal(signal.SIGALRM, _interrupt)
    for _ in range(64):
        name = chance.choice(tuple(PARAMETERS))
        arguments = [chance.choice(LONGS if kind == "I" else WORDS) for kind in PARAMETERS[name]]
        if name.startswith("path_") and chance.random() < 0.7:
            arguments[:1] = [4]
            arguments[1:4] = [chance.choice((0, 1)), 100 + 16 * chance.randrange(len(PATHS)), chance.randrange(1, 9)]
            arguments = arguments[: len(PARAMETERS[name])]
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            answer = guest.function(name)(*arguments)
            if answer != 0:
                raise AssertionError(name, arguments, answer)
        except (WasiError, OSError, Ended, Waited):
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    if set(guest.guards()) != {0xA5}:
        raise AssertionError("a write beside the guest's memory")
    guest.close()


if __name__ == "__main__":
    import driver

    driver.main(target, [bytes(16), b"\xff" * 32, bytes(range(64))])
