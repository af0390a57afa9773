# SPDX-License-Identifier: Apache-2.0
"""A host that keeps objects in memory, and a broker that keeps a version, for tests of sealed volumes."""

from __future__ import annotations

from collections.abc import Iterable

from enarx.codec import cbor
from enarx.errors import Reason, Undetermined
from enarx.runtime.sealed import request
from enarx.runtime.sealed.cipher import Scope
from enarx.runtime.sealed.record import Held
from enarx.runtime.sealed.request import number
from enarx.runtime.sealed.serving import Serving
from enarx.runtime.sealed.volume import STORAGE, Volume

ROOT = bytes(range(32))
SCOPE = Scope("launch", cbor.encode({"tenant": b"t" * 32, "launch": b"l" * 32}))
TOP = number(request.TOP)


class Host(dict[str, bytes]):
    """Objects by name."""

    def put(self, name: str, raw: bytes) -> None:
        self[name] = raw

    def remove(self, names: Iterable[str]) -> None:
        for name in list(names):
            self.pop(name, None)

    def names(self) -> Iterable[str]:
        return list(self)


class Keeper:
    """A sealing root, and what its broker holds."""

    def __init__(self, root: bytes = ROOT, *, detected: bool = True, held: Held | None = None) -> None:
        self.root = root
        self.detected = detected
        self.held = held
        self.gone = False

    def hold(self, version: int, digest: bytes) -> None:
        if self.gone:
            raise Undetermined(Reason.UNREACHABLE, "broker")
        if self.detected:
            assert version == (self.held.version if self.held else 0) + 1
            self.held = Held(version, digest)


class Guest:
    """Asks a volume as a guest's process does; an errno is an int."""

    def __init__(self, host: Host, keeper: Keeper, scope: Scope = SCOPE, storage: int = STORAGE) -> None:
        self.refused: list[str] = []
        self.volume = Volume(host, keeper, scope, storage)
        self.serving = Serving(self.volume, lambda error: self.refused.append(str(error.reason)))

    def ask(self, *fields: bytes) -> list[bytes] | int:
        return self.serving.answer(list(fields))

    def open(self, name: str, flags: int = request.CREATE, folder: bytes = TOP) -> bytes:
        answered = self.ask(request.OPEN, folder, name.encode(), number(flags))
        assert isinstance(answered, list), answered
        return answered[0]

    def write(self, name: str, data: bytes, at: int = 0) -> None:
        inode = self.open(name)
        for start in range(0, len(data), request.MOST_BYTES):
            part = data[start : start + request.MOST_BYTES]
            assert isinstance(self.ask(request.WRITE, inode, number(at + start), part), list)
        self.ask(request.CLOSE, inode)

    def read(self, name: str) -> bytes | int:
        """All of a file; the errno when some of it cannot be read."""
        inode, whole = self.open(name, 0), b""
        try:
            while isinstance(part := self.ask(request.READ, inode, number(len(whole)), number(1 << 20)), list):
                if not part[0]:
                    return whole
                whole += part[0]
            return part
        finally:
            self.ask(request.CLOSE, inode)

    def sync(self) -> list[bytes] | int:
        return self.ask(request.SYNC)


def volume(host: Host, keeper: Keeper, **files: bytes) -> Guest:
    """A volume with these files, committed."""
    guest = Guest(host, keeper)
    for name, data in files.items():
        guest.write(name, data)
    assert [] == guest.sync()
    return guest
