# SPDX-License-Identifier: Apache-2.0
"""`/net/lis/PORT` and `/net/con/HOST[:PORT]`: opening a file there opens a socket, if the agent agrees.

The paths are upstream's design of 2022, which never landed.
"""
# ruff: noqa: ARG002, D102 - methods are documented where they are first named, in `directory`

from __future__ import annotations

from enarx.runtime import wire
from enarx.runtime.asking import ask
from enarx.runtime.channel import Channel
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor, Stat
from enarx.runtime.wasi.directory import Directory, Opened
from enarx.runtime.wasi.errno import ACCES, INVAL, NOTDIR, WasiError
from enarx.runtime.wasi.volume import Folder, Quota


class Sockets(Folder):
    """A folder in which every name may be opened: the agent's policy says which really can."""

    def __init__(self, quota: Quota, channel: Channel, request: int) -> None:
        super().__init__(quota, fixed=True)
        self._channel = channel
        self._request = request

    def find(self, name: str) -> Stat:
        return Stat(filetype=rights.SOCKET_STREAM)

    def enter(self, name: str) -> Directory:
        raise WasiError(NOTDIR)

    def link_target(self, name: str) -> str:
        raise WasiError(INVAL)

    def open(self, name: str, how: Opened) -> Descriptor:
        if how.truncate:
            raise WasiError(ACCES)
        return ask(self._channel, self._request, name, how.flags)


def net(quota: Quota, channel: Channel) -> Folder:
    """The folder `/net`."""
    folder = Folder(quota, fixed=True)
    folder.put("lis", Sockets(quota, channel, wire.LISTEN))
    folder.put("con", Sockets(quota, channel, wire.CONNECT))
    return folder
