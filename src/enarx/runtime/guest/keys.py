# SPDX-License-Identifier: Apache-2.0
"""`/key` as the guest sees it: files to make keys, to sign, to verify, to share. The keys are the agent's.

Upstream's design of 2022 (`keyfs`), which never landed: docs/formats/key.md.
"""

from __future__ import annotations

from collections.abc import Callable

from enarx.runtime import wire
from enarx.runtime.channel import Channel
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Opened
from enarx.runtime.wasi.errno import AGAIN, FBIG, INVAL, IO, PERM, TOOBIG, WasiError
from enarx.runtime.wasi.volume import Folder, Leaf, Quota

AT_END = (1 << 64) - 1
"""The offset at which a signature is read, or written to be verified."""
MOST_BYTES = 4096
MOST_MESSAGE = 16 << 20
READ, WRITE = rights.FD_READ, rights.FD_WRITE
Ask = Callable[..., list[bytes]]


def asking(channel: Channel) -> Ask:
    """Asks the agent, one question at a time; its refusal is an errno."""

    def ask(*fields: bytes) -> list[bytes]:
        channel.send(wire.KEY, *fields)
        received = channel.receive()
        if received is None:
            raise WasiError(IO)
        kind, answered, _ = received
        if kind != wire.GRANTED:
            raise WasiError(int(answered[0]))
        return answered

    return ask


class _File(Leaf):
    """A file that must be opened in exactly one way. `make` makes what is then open."""

    filetype = rights.SOCKET_DGRAM

    def __init__(self, quota: Quota, needed: int, make: Callable[[], Descriptor]) -> None:
        super().__init__(quota)
        self._needed = needed
        self._make = make

    def open(self, how: Opened) -> Descriptor:
        if how.granted & (READ | WRITE) != self._needed or how.truncate:
            raise WasiError(PERM)
        if how.flags:
            raise WasiError(INVAL)
        opened = self._make()
        opened.rights = how.granted & rights.STREAM
        return opened


class _Open(Descriptor):
    filetype = rights.SOCKET_DGRAM

    def __init__(self) -> None:
        super().__init__(0)

    def stat(self) -> Stat:
        return Stat(filetype=self.filetype)


def _fill(buffers: list[memoryview], whole: bytes) -> int:
    """A datagram: all of it, or errno TOOBIG."""
    if sum(map(len, buffers)) < len(whole):
        raise WasiError(TOOBIG)
    at = 0
    for buffer in buffers:
        part = whole[at : at + len(buffer)]
        buffer[: len(part)] = part
        at += len(part)
    return at


class _Maker(_Open):
    """`generate` and `trust`: what is written makes a key, whose UUID is read."""

    def __init__(self, keys: Keys, act: bytes) -> None:
        super().__init__()
        self._keys = keys
        self._act = act
        self._made: list[bytes] = []

    def write(self, buffers: list[memoryview]) -> int:
        asked = b"".join(buffers)
        if not 4 <= len(asked) <= (4 if self._act == b"generate" else MOST_BYTES):
            raise WasiError(INVAL)
        self._made.append(self._keys.add(self._act, asked))
        return len(asked)

    def read(self, buffers: list[memoryview]) -> int:
        if not self._made:
            raise WasiError(AGAIN)
        done = _fill(buffers, self._made[-1])
        self._made.pop()
        return done


class _Share(_Open):
    def __init__(self, raw: Callable[[], bytes]) -> None:
        super().__init__()
        self._raw = raw

    def read(self, buffers: list[memoryview]) -> int:
        return _fill(buffers, self._raw())


class _Message(_Open):
    """`sign` and `verify`: what is written is the message; the signature is at the last offset that there is."""

    def __init__(self, ask: Ask, name: bytes) -> None:
        super().__init__()
        self._ask = ask
        self._name = name
        self._message = bytearray()

    def write(self, buffers: list[memoryview]) -> int:
        count = sum(map(len, buffers))
        if len(self._message) + count > MOST_MESSAGE:
            raise WasiError(FBIG)
        for buffer in buffers:
            self._message += buffer
        return count

    def read_at(self, buffers: list[memoryview], offset: int) -> int:
        if offset != AT_END:
            raise WasiError(INVAL)
        (signature,) = self._ask(b"sign", self._name, bytes(self._message))
        return _fill(buffers, signature)

    def write_at(self, buffers: list[memoryview], offset: int) -> int:
        if offset != AT_END:
            raise WasiError(INVAL)
        signature = b"".join(buffers)
        self._ask(b"verify", self._name, bytes(self._message), signature)
        return len(signature)


class Keys(Folder):
    """The folder `/key`."""

    def __init__(self, quota: Quota, channel: Channel) -> None:
        super().__init__(quota, fixed=True)
        self._ask = asking(channel)
        for act in (b"generate", b"trust"):
            self.put(act.decode(), _File(quota, READ | WRITE, lambda act=act: _Maker(self, act)))  # type: ignore[misc]

    def add(self, act: bytes, asked: bytes) -> bytes:
        """Have a key made or taken, and give it a folder; its UUID."""
        ask, (name,) = self._ask, self._ask(act, asked)
        folder = Folder(self.quota, fixed=True)
        folder.put("verify", _File(self.quota, WRITE, lambda: _Message(ask, name)))
        folder.put("share", _File(self.quota, READ, lambda: _Share(lambda: ask(b"share", name)[0])))
        if act == b"generate":
            folder.put("sign", _File(self.quota, READ | WRITE, lambda: _Message(ask, name)))
        self.put(name.decode(), folder)
        return name
