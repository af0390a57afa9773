# SPDX-License-Identifier: Apache-2.0
"""`wasi:sockets`: the network, its types, names, and why there are no datagrams."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

import errno as host
import re
from collections.abc import Iterator
from typing import Any

from enarx.runtime.component.interface import Interface, Refused, wit
from enarx.runtime.component.polling import Pollable
from enarx.runtime.component.types import (
    STRING,
    U8,
    U16,
    U32,
    Borrow,
    Case,
    Enum,
    Option,
    Own,
    Record,
    Result,
    Tuple,
    Type,
    Variant,
)
from enarx.runtime.component.wasi.io import IoError, number
from enarx.runtime.wasi import errno
from enarx.runtime.wasi.errno import FROM_HOST

ERROR_CODE = Enum(
    *("unknown", "access-denied", "not-supported", "invalid-argument", "out-of-memory", "timeout"),
    *("concurrency-conflict", "not-in-progress", "would-block", "invalid-state", "new-socket-limit"),
    *("address-not-bindable", "address-in-use", "remote-unreachable", "connection-refused"),
    *("connection-reset", "connection-aborted", "datagram-too-large", "name-unresolvable"),
    *("temporary-resolver-failure", "permanent-resolver-failure"),
)
ERRORS = {
    errno.ACCES: "access-denied",
    errno.AGAIN: "would-block",
    errno.NOTCAPABLE: "access-denied",
    errno.INVAL: "invalid-argument",
    errno.MFILE: "new-socket-limit",
    errno.NOMEM: "out-of-memory",
    errno.NOENT: "name-unresolvable",
    errno.TIMEDOUT: "timeout",
    errno.CONNABORTED: "connection-aborted",
    errno.CONNRESET: "connection-reset",
    errno.NOTCONN: "invalid-state",
    errno.PIPE: "connection-reset",
    FROM_HOST[host.EADDRINUSE]: "address-in-use",
    FROM_HOST[host.ECONNREFUSED]: "connection-refused",
    FROM_HOST[host.EHOSTUNREACH]: "remote-unreachable",
}
FAMILY = Enum("ipv4", "ipv6")
IPV4 = Tuple(U8, U8, U8, U8)
IPV6 = Tuple(U16, U16, U16, U16, U16, U16, U16, U16)
IP_ADDRESS = Variant({"ipv4": IPV4, "ipv6": IPV6})
SOCKET_ADDRESS = Variant(
    {
        "ipv4": Record(port=U16, address=IPV4),
        "ipv6": Record(port=U16, flow_info=U32, address=IPV6, scope_id=U32),
    }
)
NETWORK = Borrow("network")
NOWHERE = {"ipv4": Case("ipv4", (0, (0,) * 4)), "ipv6": Case("ipv6", (0, 0, (0,) * 8, 0))}
"""The unspecified address of each family: what is said of an end that the agent keeps to itself."""

HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
NUMBERED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
BYTE = 256


def fallible(good: Type | None = None) -> Result:
    """`result<T, error-code>`."""
    return Result(good, ERROR_CODE)


class Network:
    """`network`: there is one, and the manifest says what can be done with it."""

    def drop(self) -> None:
        """Nothing is held."""


class Failing(Interface):
    """An interface whose functions fail with `error-code`."""

    def refusal(self, error: Exception) -> str:
        return ERRORS.get(number(error), "unknown")


class Networks(Interface):
    """`wasi:sockets/network`."""

    name = "wasi:sockets/network"
    resources = ("network",)

    @wit("network-error-code", Borrow("error"), returns=Option(ERROR_CODE))
    def network_error_code(self, error: IoError) -> str:
        return ERRORS.get(error.number, "unknown")


class InstanceNetwork(Interface):
    """`wasi:sockets/instance-network`."""

    name = "wasi:sockets/instance-network"

    @wit("instance-network", returns=Own("network"))
    def instance_network(self) -> Network:
        return Network()


class Addresses:
    """`resolve-address-stream`."""

    def __init__(self, found: list[Case]) -> None:
        self.left: Iterator[Case] = iter(found)

    def drop(self) -> None:
        """Nothing is held."""


class Lookup(Failing):
    """`wasi:sockets/ip-name-lookup`."""

    name = "wasi:sockets/ip-name-lookup"
    resources = ("resolve-address-stream",)

    @wit("resolve-addresses", NETWORK, STRING, returns=fallible(Own("resolve-address-stream")))
    def resolve_addresses(self, _network: Network, name: str) -> Addresses:
        literal = parsed(name)
        if literal is not None:
            return Addresses([literal])
        if not HOST_NAME.fullmatch(name):
            raise Refused("invalid-argument")
        return Addresses([self.launch.names.address(name)])

    @wit(
        "[method]resolve-address-stream.resolve-next-address",
        Borrow("resolve-address-stream"),
        returns=fallible(Option(IP_ADDRESS)),
    )
    def resolve_next_address(self, addresses: Addresses) -> Case | None:
        return next(addresses.left, None)

    @wit("[method]resolve-address-stream.subscribe", Borrow("resolve-address-stream"), returns=Own("pollable"))
    def subscribe(self, _addresses: Addresses) -> Pollable:
        return Pollable()


def parsed(text: str) -> Case | None:
    """The address that a text is, and not a name."""
    if NUMBERED.fullmatch(text):
        octets = tuple(map(int, text.split(".")))
        return Case("ipv4", octets) if max(octets) < BYTE else None
    if ":" in text:
        import _socket

        try:
            raw = _socket.inet_pton(_socket.AF_INET6, text)
        except OSError:
            raise Refused("invalid-argument") from None
        return Case("ipv6", tuple(int.from_bytes(raw[i : i + 2], "big") for i in range(0, 16, 2)))
    return None


class UdpCreate(Failing):
    """`wasi:sockets/udp-create-socket`."""

    name = "wasi:sockets/udp-create-socket"

    @wit("create-udp-socket", FAMILY, returns=fallible(Own("udp-socket")))
    def create_udp_socket(self, _family: str) -> Any:
        """No manifest can grant datagrams."""
        raise Refused("access-denied")
