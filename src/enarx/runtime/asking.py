# SPDX-License-Identifier: Apache-2.0
"""How the guest's process asks its agent for a socket while the guest runs."""

from __future__ import annotations

from enarx.runtime import wire
from enarx.runtime.channel import Channel
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor
from enarx.runtime.wasi.errno import ACCES, FROM_HOST, IO, WasiError
from enarx.runtime.wasi.socket import Connection, Handover, Listener


def ask(channel: Channel, request: int, name: str, flags: int = 0) -> Descriptor:
    """What `wire.LISTEN` or `wire.CONNECT` opens for a name; the errno of the agent's refusal."""
    channel.send(request, name.encode())
    received = channel.receive()
    if received is None:
        raise WasiError(IO)
    kind, fields, descriptors = received
    if kind != wire.GRANTED:
        raise WasiError(FROM_HOST.get(int(fields[0]), ACCES))
    return _opened(fields[0].decode(), descriptors[0], flags & rights.NONBLOCK)


def _opened(kind: str, host: int, flags: int) -> Descriptor:
    if kind == "connection":
        return Connection(host, flags)
    listener = Listener(host) if kind == "listener" else Handover(host)
    listener.set_flags(flags)
    return listener
