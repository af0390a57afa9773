# SPDX-License-Identifier: Apache-2.0
"""`wasi:sockets/tcp`: sockets by the manifest's rules, TLS ending in the agent where they say so.

Listening on a port takes over the socket that `[[files]]` lists for it, or asks the agent, which holds
`[network.incoming]`; connecting likewise with `[network.outgoing]`. The addresses of the host are the
manifest's and the agent's business: the one that the guest binds to is only looked at for its port.
"""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

import select
from typing import Any

from enarx.runtime import wire
from enarx.runtime.asking import ask
from enarx.runtime.component.connection import SocketOutput
from enarx.runtime.component.interface import Refused, wit
from enarx.runtime.component.launch import Launch
from enarx.runtime.component.polling import Pollable
from enarx.runtime.component.streams import STANDING, DescriptorInput, Readiness, Shared, polled
from enarx.runtime.component.types import BOOL, U8, U32, U64, Borrow, Case, Enum, Own, Tuple, Type
from enarx.runtime.component.wasi.network import FAMILY, NETWORK, NOWHERE, SOCKET_ADDRESS, Failing, Network, fallible
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.descriptor import Descriptor
from enarx.runtime.wasi.errno import ACCES, MFILE, WasiError

SELF = Borrow("tcp-socket")
ACCEPTED = Tuple(Own("tcp-socket"), Own("input-stream"), Own("output-stream"))
STREAMS = Tuple(Own("input-stream"), Own("output-stream"))
HOW = {"receive": 1, "send": 2, "both": 3}
SETTINGS: dict[str, tuple[Type, int]] = {
    "keep-alive-enabled": (BOOL, False),
    "keep-alive-idle-time": (U64, 7_200_000_000_000),
    "keep-alive-interval": (U64, 75_000_000_000),
    "keep-alive-count": (U32, 9),
    "hop-limit": (U8, 64),
    "receive-buffer-size": (U64, 1 << 16),
    "send-buffer-size": (U64, 1 << 16),
}
"""Kept for the guest that asks for them again, with Linux's defaults; the sockets are the agent's."""


class Socket:
    """`tcp-socket`: fresh, binding, bound, listening (first `starting`), connecting, connected or closed."""

    def __init__(self, launch: Launch, family: str) -> None:
        self.family = family
        self.state = "fresh"
        self.local = NOWHERE[family]
        self.remote = NOWHERE[family]
        self.settings = {name: default for name, (_, default) in SETTINGS.items()}
        self.shared: Shared | None = None
        self.failure: WasiError | None = None
        self._launch = launch
        self._number = -1

    def expect(self, *states: str) -> None:
        """Refuse with `invalid-state` unless the socket is in one of these."""
        if self.state not in states:
            raise Refused("invalid-state")

    def finish(self, begun: str, done: str) -> None:
        """The second half of an operation in two steps."""
        if self.state != begun:
            raise Refused("not-in-progress")
        if self.failure is not None:
            self.state, failed = "closed", self.failure
            self.failure = None
            raise failed
        self.state = done

    def take(self, numbers: list[int], *, for_good: bool) -> bool:
        """Take over one of the descriptors that the guest was given, unless others have.

        for_good  it is closed when this socket and its streams are dropped
        """
        free = [number for number in numbers if number not in self._launch.taken]
        if free:
            self._number = free[0]
            self._launch.taken.add(free[0])
            self.shared = Shared(self._launch.table, free[0], 1 if for_good else STANDING)
            self.shared.descriptor.set_flags(rights.NONBLOCK)
        return bool(free)

    def adopt(self, opened: Descriptor) -> None:
        """Stand on a descriptor that was opened for this socket; errno MFILE at a limit."""
        if opened.rights & rights.SOCK_SHUTDOWN and self._launch.crowded():
            opened.close()
            raise WasiError(MFILE)
        self.shared = Shared.opened(self._launch.table, opened)
        opened.set_flags(rights.NONBLOCK)

    def ask(self, request: int, name: str) -> None:
        """Have the agent open it."""
        if self._launch.channel is None:
            raise WasiError(ACCES)
        self.adopt(ask(self._launch.channel, request, name, rights.NONBLOCK))

    def standing(self) -> Shared:
        """What it stands on, once listening or connected."""
        if self.shared is None:
            raise Refused("invalid-state")
        return self.shared

    def streams(self) -> tuple[DescriptorInput, SocketOutput]:
        """Its two directions."""
        return DescriptorInput(self.standing()), SocketOutput(self.standing())

    def drop(self) -> None:
        """The guest has dropped its handle; its streams go on."""
        if self.shared is not None:
            self.shared.release()
        if self.state == "listening":
            self._launch.taken.discard(self._number)


class Create(Failing):
    """`wasi:sockets/tcp-create-socket`."""

    name = "wasi:sockets/tcp-create-socket"

    @wit("create-tcp-socket", FAMILY, returns=fallible(Own("tcp-socket")))
    def create_tcp_socket(self, family: str) -> Socket:
        return Socket(self.launch, family)


class Tcp(Failing):
    """`wasi:sockets/tcp`."""

    name = "wasi:sockets/tcp"
    resources = ("tcp-socket",)

    @wit("[method]tcp-socket.start-bind", SELF, NETWORK, SOCKET_ADDRESS, returns=fallible())
    def start_bind(self, socket: Socket, _network: Network, address: Case) -> None:
        socket.expect("fresh")
        if address.name != socket.family:
            raise Refused("invalid-argument")
        socket.local, socket.state = address, "binding"
        if address.payload[0]:
            self._listen(socket)

    def _listen(self, socket: Socket) -> None:
        """Have a socket on the port that the guest binds to; what fails is told by the second half."""
        port, listeners = socket.local.payload[0], self.launch.grants.listeners
        exact = [number for number, granted in listeners.items() if granted == port]
        if socket.take(exact or [number for number, granted in listeners.items() if granted == 0], for_good=False):
            return
        try:
            socket.ask(wire.LISTEN, str(port))
        except WasiError as error:
            socket.failure = error

    @wit("[method]tcp-socket.finish-bind", SELF, returns=fallible())
    def finish_bind(self, socket: Socket) -> None:
        socket.finish("binding", "bound")

    @wit("[method]tcp-socket.start-listen", SELF, returns=fallible())
    def start_listen(self, socket: Socket) -> None:
        socket.expect("bound")
        if socket.shared is None:
            self._listen(socket)
        socket.state = "starting"

    @wit("[method]tcp-socket.finish-listen", SELF, returns=fallible())
    def finish_listen(self, socket: Socket) -> None:
        socket.finish("starting", "listening")

    @wit("[method]tcp-socket.accept", SELF, returns=fallible(ACCEPTED))
    def accept(self, socket: Socket) -> tuple[Any, ...]:
        socket.expect("listening")
        listener = socket.standing().descriptor
        fd = listener.fileno()
        if fd is None or not polled(fd, select.POLLIN):
            raise Refused("would-block")
        if self.launch.crowded():
            raise Refused("new-socket-limit")
        accepted = Socket(self.launch, socket.family)
        accepted.adopt(listener.accept(rights.NONBLOCK))
        accepted.state, accepted.local = "connected", socket.local
        return (accepted, *accepted.streams())

    @wit("[method]tcp-socket.start-connect", SELF, NETWORK, SOCKET_ADDRESS, returns=fallible())
    def start_connect(self, socket: Socket, _network: Network, address: Case) -> None:
        socket.expect("fresh", "bound")
        if address.name != socket.family or not address.payload[0]:
            raise Refused("invalid-argument")
        host, port = self.launch.names.spelled(address)
        place = f"{host}:{port}"
        socket.remote, socket.state = address, "connecting"
        granted = [number for number, one in self.launch.grants.connections.items() if one == place]
        if socket.shared is not None or socket.take(granted, for_good=True):
            return
        try:
            socket.ask(wire.CONNECT, place)
        except WasiError as error:
            socket.failure = error

    @wit("[method]tcp-socket.finish-connect", SELF, returns=fallible(STREAMS))
    def finish_connect(self, socket: Socket) -> tuple[Any, ...]:
        socket.finish("connecting", "connected")
        return socket.streams()

    @wit("[method]tcp-socket.local-address", SELF, returns=fallible(SOCKET_ADDRESS))
    def local_address(self, socket: Socket) -> Case:
        socket.expect("bound", "starting", "listening", "connecting", "connected")
        return socket.local

    @wit("[method]tcp-socket.remote-address", SELF, returns=fallible(SOCKET_ADDRESS))
    def remote_address(self, socket: Socket) -> Case:
        socket.expect("connected")
        return socket.remote

    @wit("[method]tcp-socket.is-listening", SELF, returns=BOOL)
    def is_listening(self, socket: Socket) -> bool:
        return socket.state == "listening"

    @wit("[method]tcp-socket.address-family", SELF, returns=FAMILY)
    def address_family(self, socket: Socket) -> str:
        return socket.family

    @wit("[method]tcp-socket.set-listen-backlog-size", SELF, U64, returns=fallible())
    def set_listen_backlog_size(self, socket: Socket, value: int) -> None:
        if not value:
            raise Refused("invalid-argument")
        socket.expect("fresh", "bound", "listening")

    @wit("[method]tcp-socket.subscribe", SELF, returns=Own("pollable"))
    def subscribe(self, socket: Socket) -> Pollable:
        if socket.state == "listening":
            return Readiness(socket.standing(), select.POLLIN)
        return Pollable()

    @wit(
        "[method]tcp-socket.shutdown",
        *(SELF, Enum("receive", "send", "both")),
        returns=fallible(),
    )
    def shutdown(self, socket: Socket, how: str) -> None:
        socket.expect("connected")
        socket.standing().descriptor.shutdown(HOW[how])


def _declare(spelled: str, kind: Type) -> None:
    """Two functions for a setting: what it is, and making it something else."""

    def getter(_self: Tcp, socket: Socket) -> int:
        return socket.settings[spelled]

    def setter(_self: Tcp, socket: Socket, value: int) -> None:
        if kind is not BOOL and not value:
            raise Refused("invalid-argument")
        socket.settings[spelled] = value

    attribute = spelled.replace("-", "_")
    setattr(Tcp, attribute, wit(f"[method]tcp-socket.{spelled}", SELF, returns=fallible(kind))(getter))
    changing = wit(f"[method]tcp-socket.set-{spelled}", SELF, kind, returns=fallible())
    setattr(Tcp, f"set_{attribute}", changing(setter))


for _spelled, (_kind, _) in SETTINGS.items():
    _declare(_spelled, _kind)
