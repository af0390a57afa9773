# SPDX-License-Identifier: Apache-2.0
"""`wasi:sockets/udp`: what a component may import, though no manifest grants a socket to use it with."""

from __future__ import annotations

from enarx.runtime.component.interface import BadCall, wit
from enarx.runtime.component.types import BYTES, U8, U64, Borrow, List, Option, Own, Record, Tuple, Type
from enarx.runtime.component.wasi.network import FAMILY, NETWORK, SOCKET_ADDRESS, Failing, fallible

SELF, INCOMING, OUTGOING = Borrow("udp-socket"), Borrow("incoming-datagram-stream"), Borrow("outgoing-datagram-stream")
RECEIVED = Record(data=BYTES, remote_address=SOCKET_ADDRESS)
SENT = Record(data=BYTES, remote_address=Option(SOCKET_ADDRESS))
STREAMS = Tuple(Own("incoming-datagram-stream"), Own("outgoing-datagram-stream"))

FUNCTIONS: dict[str, tuple[tuple[Type, ...], Type]] = {
    "udp-socket.start-bind": ((SELF, NETWORK, SOCKET_ADDRESS), fallible()),
    "udp-socket.finish-bind": ((SELF,), fallible()),
    "udp-socket.stream": ((SELF, Option(SOCKET_ADDRESS)), fallible(STREAMS)),
    "udp-socket.local-address": ((SELF,), fallible(SOCKET_ADDRESS)),
    "udp-socket.remote-address": ((SELF,), fallible(SOCKET_ADDRESS)),
    "udp-socket.address-family": ((SELF,), FAMILY),
    "udp-socket.unicast-hop-limit": ((SELF,), fallible(U8)),
    "udp-socket.set-unicast-hop-limit": ((SELF, U8), fallible()),
    "udp-socket.receive-buffer-size": ((SELF,), fallible(U64)),
    "udp-socket.set-receive-buffer-size": ((SELF, U64), fallible()),
    "udp-socket.send-buffer-size": ((SELF,), fallible(U64)),
    "udp-socket.set-send-buffer-size": ((SELF, U64), fallible()),
    "udp-socket.subscribe": ((SELF,), Own("pollable")),
    "incoming-datagram-stream.receive": ((INCOMING, U64), fallible(List(RECEIVED))),
    "incoming-datagram-stream.subscribe": ((INCOMING,), Own("pollable")),
    "outgoing-datagram-stream.check-send": ((OUTGOING,), fallible(U64)),
    "outgoing-datagram-stream.send": ((OUTGOING, List(SENT)), fallible(U64)),
    "outgoing-datagram-stream.subscribe": ((OUTGOING,), Own("pollable")),
}


class Udp(Failing):
    """`wasi:sockets/udp`: its handles are never given out, so its functions are never reached."""

    name = "wasi:sockets/udp"
    resources = ("udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream")


def _unreachable(_self: Udp, *_arguments: object) -> None:
    raise BadCall("there are no datagram sockets")


def _declare() -> None:
    for spelled, (parameters, result) in FUNCTIONS.items():

        def function(self: Udp, *arguments: object) -> None:
            _unreachable(self, *arguments)

        setattr(
            Udp,
            spelled.replace(".", "_").replace("-", "_"),
            wit(f"[method]{spelled}", *parameters, returns=result)(function),
        )


_declare()
