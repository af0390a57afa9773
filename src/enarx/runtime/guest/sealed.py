# SPDX-License-Identifier: Apache-2.0
"""`/sealed` as the guest's process has it: every operation is a question to the agent, which holds the keys."""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor` or `directory`

from __future__ import annotations

from enarx.runtime import wire
from enarx.runtime.channel import Channel
from enarx.runtime.sealed import request
from enarx.runtime.sealed.request import number
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Directory, Opened
from enarx.runtime.wasi.errno import FBIG, INVAL, IO, NOTDIR, XDEV, WasiError
from enarx.runtime.wasi.memfile import MAX_OFFSET, Positioned
from enarx.runtime.wasi.volume import Folder, Quota


class Remote:
    """Asks the agent, one question at a time."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def ask(self, act: bytes, *fields: bytes) -> list[bytes]:
        """The fields of the answer; the agent's refusal is an errno."""
        self._channel.send(wire.SEALED, act, *fields)
        received = self._channel.receive()
        if received is None:
            raise WasiError(IO)
        kind, answered, _ = received
        if kind != wire.GRANTED:
            raise WasiError(int(answered[0]))
        return answered

    def sync(self) -> None:
        """Have everything outlive the Keep."""
        self.ask(request.SYNC)


class Unmetered(Quota):
    """The agent counts what the volume takes."""

    def __init__(self) -> None:
        super().__init__(0)

    def take(self, count: int) -> None:
        pass


class SealedFolder(Folder):
    """A folder of the volume, by its inode there. It is a `Folder` so that `/` can hold it."""

    def __init__(self, quota: Quota, remote: Remote, place: int = request.TOP) -> None:
        super().__init__(quota)
        self._remote = remote
        self.place = number(place)

    def stat(self) -> Stat:
        return request.read_stat(self._remote.ask(request.STAT, self.place)[0])

    def find(self, name: str) -> Stat:
        return request.read_stat(self._remote.ask(request.FIND, self.place, name.encode())[0])

    def enter(self, name: str) -> Directory:
        found = self.find(name)
        if found.filetype != rights.IS_DIRECTORY:
            raise WasiError(NOTDIR)
        return SealedFolder(self.quota, self._remote, found.inode)

    def link_target(self, name: str) -> str:
        return self._remote.ask(request.TARGET, self.place, name.encode())[0].decode()

    def open(self, name: str, how: Opened) -> Descriptor:
        flags = (request.CREATE if how.create else 0) | (request.TRUNCATE if how.truncate else 0)
        (inode,) = self._remote.ask(request.OPEN, self.place, name.encode(), number(flags))
        return OpenSealedFile(self._remote, inode, how.granted, how.flags)

    def make_folder(self, name: str) -> None:
        self._remote.ask(request.MKDIR, self.place, name.encode())

    def remove_folder(self, name: str) -> None:
        self._remote.ask(request.RMDIR, self.place, name.encode())

    def unlink(self, name: str) -> None:
        self._remote.ask(request.UNLINK, self.place, name.encode())

    def symlink(self, name: str, target: str) -> None:
        self._remote.ask(request.SYMLINK, self.place, name.encode(), target.encode())

    def link(self, name: str, into: Directory, new: str) -> None:
        if not isinstance(into, SealedFolder):
            raise WasiError(XDEV)
        self._remote.ask(request.LINK, self.place, name.encode(), into.place, new.encode())

    def rename(self, name: str, into: Directory, new: str) -> None:
        if not isinstance(into, SealedFolder):
            raise WasiError(XDEV)
        self._remote.ask(request.RENAME, self.place, name.encode(), into.place, new.encode())

    def set_times(self, name: str, accessed: int | None, modified: int | None) -> None:
        place = self.place if name == "." else number(self.find(name).inode)
        _stamp(self._remote, place, accessed, modified)

    def entries(self) -> list[tuple[str, int, int]]:
        fields = self._remote.ask(request.LIST, self.place)
        pairs = zip(fields[::2], fields[1::2], strict=True)
        return [(name.decode(), *request.ENTRY.unpack(rest)) for name, rest in pairs]

    def sync(self) -> None:
        self._remote.sync()


def _stamp(remote: Remote, place: bytes, accessed: int | None, modified: int | None) -> None:
    moments = [request.NO_TIME if moment is None else moment for moment in (accessed, modified)]
    if max(moments) > MAX_OFFSET:
        raise WasiError(INVAL)
    remote.ask(request.TIMES, place, *map(number, moments))


class OpenSealedFile(Positioned):
    """An open file of the volume."""

    def __init__(self, remote: Remote, inode: bytes, granted: int, flags: int) -> None:
        super().__init__(granted, flags)
        self._remote = remote
        self._inode = inode

    def stat(self) -> Stat:
        return request.read_stat(self._remote.ask(request.STAT, self._inode)[0])

    def size(self) -> int:
        return self.stat().size

    def read_at(self, buffers: list[memoryview], offset: int) -> int:
        if offset > MAX_OFFSET:
            raise WasiError(INVAL)
        done = 0
        for buffer in buffers:
            while buffer:
                (part,) = self._remote.ask(request.READ, self._inode, number(offset + done), number(len(buffer)))
                buffer[: len(part)] = part
                done += len(part)
                if not part:
                    return done
                buffer = buffer[len(part) :]  # noqa: PLW2901 - what is left of it
        return done

    def write(self, buffers: list[memoryview]) -> int:
        at = request.AT_END if self.flags & rights.APPEND else self.position
        done, self.position = self._store(buffers, at)
        return done

    def write_at(self, buffers: list[memoryview], offset: int) -> int:
        return self._store(buffers, request.AT_END if self.flags & rights.APPEND else offset)[0]

    def _store(self, buffers: list[memoryview], offset: int) -> tuple[int, int]:
        """Bytes stored, and where they end."""
        if offset > MAX_OFFSET:
            raise WasiError(FBIG)
        done, end = 0, self.position
        for buffer in buffers:
            for start in range(0, len(buffer), request.MOST_BYTES):
                part = buffer[start : start + request.MOST_BYTES]
                place = offset if offset == request.AT_END else offset + done
                (stored,) = self._remote.ask(request.WRITE, self._inode, number(place), part.tobytes())
                done += len(part)
                (end,) = request.NUMBER.unpack(stored)
        return done, end

    def set_size(self, size: int) -> None:
        if size > MAX_OFFSET:
            raise WasiError(FBIG)
        self._remote.ask(request.SIZE, self._inode, number(size))

    def set_times(self, accessed: int | None, modified: int | None) -> None:
        _stamp(self._remote, self._inode, accessed, modified)

    def allocate(self, offset: int, length: int) -> None:
        if length == 0 or offset + length > MAX_OFFSET:
            raise WasiError(INVAL if length == 0 else FBIG)
        if offset + length > self.size():
            self.set_size(offset + length)

    def sync(self) -> None:
        self._remote.sync()

    def close(self) -> None:
        self._remote.ask(request.CLOSE, self._inode)
