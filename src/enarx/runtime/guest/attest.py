# SPDX-License-Identifier: Apache-2.0
"""`/attest`: what the guest writes to `data` comes back signed by the hardware in `evidence`."""
# ruff: noqa: D102 - methods are documented where they are first named, in `descriptor`

from __future__ import annotations

from enarx.runtime import wire
from enarx.runtime.channel import Channel
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor
from enarx.runtime.wasi.directory import Opened
from enarx.runtime.wasi.errno import ACCES, FROM_HOST, MSGSIZE, WasiError
from enarx.runtime.wasi.memfile import OpenPackageFile, PackageFile
from enarx.runtime.wasi.volume import Folder, Leaf, Quota

MOST_BYTES = 4096


class Data(Leaf):
    """`/attest/data`: the bytes that the next evidence is about; opening it to write starts anew."""

    filetype = rights.REGULAR_FILE

    def __init__(self, quota: Quota) -> None:
        super().__init__(quota)
        self.content = b""

    def size(self) -> int:
        return len(self.content)

    def open(self, how: Opened) -> Descriptor:
        return _OpenData(self, how.granted & rights.STREAM)


class _OpenData(Descriptor):
    filetype = rights.REGULAR_FILE

    def __init__(self, data: Data, granted: int) -> None:
        super().__init__(granted)
        self._data = data
        if granted & rights.FD_WRITE:
            data.content = b""

    def write(self, buffers: list[memoryview]) -> int:
        more = b"".join(buffers)
        if len(self._data.content) + len(more) > MOST_BYTES:
            raise WasiError(MSGSIZE)
        self._data.content += more
        return len(more)


class Evidence(Leaf):
    """`/attest/evidence`: every opening for reading asks the agent for fresh evidence."""

    filetype = rights.REGULAR_FILE

    def __init__(self, quota: Quota, data: Data, channel: Channel) -> None:
        super().__init__(quota)
        self._data = data
        self._channel = channel

    def open(self, how: Opened) -> Descriptor:
        if how.writes and not how.granted & rights.FD_READ:
            raise WasiError(ACCES)
        self._channel.send(wire.ATTEST, self._data.content)
        received = self._channel.receive()
        if received is None or received[0] != wire.GRANTED:
            number = int(received[1][0]) if received else 0
            raise WasiError(FROM_HOST.get(number, ACCES))
        content = memoryview(received[1][0])
        return OpenPackageFile(PackageFile(self.quota, content), how.granted & ~rights.FD_WRITE, how.flags)


def attest(quota: Quota, channel: Channel) -> Folder:
    """The folder `/attest`."""
    folder = Folder(quota, fixed=True)
    data = Data(quota)
    folder.put("data", data)
    folder.put("evidence", Evidence(quota, data, channel))
    return folder
