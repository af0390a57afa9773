# SPDX-License-Identifier: Apache-2.0
"""Addresses that stand for names.

Names are the manifest's business: what a lookup answers is an address of this guest alone, out of the
range that RFC 2544 sets aside, and connecting to it asks the agent for the name. So a rule for a name
holds, TLS is verified against that name, and no name leaves the Keep before it may be connected to.
"""

from __future__ import annotations

from enarx.runtime.component.grants import Grants
from enarx.runtime.component.scalars import Case
from enarx.runtime.wasi.errno import ACCES, NOMEM, WasiError

FIRST = 198 << 24 | 18 << 16
"""198.18.0.0/15: RFC 2544, section C.2.2."""
MOST_NAMES = 4096
DEFAULT = "default"


class Names:
    """The addresses that stand for names, in both directions."""

    def __init__(self, grants: Grants) -> None:
        hosts = (place.rpartition(":")[0] for place in grants.connections.values())
        self._hosts = {host.lower() for host in hosts} | {_host(key) for key in grants.outgoing}
        self._names: list[str] = []

    def address(self, name: str) -> Case:
        """The address that stands for a name; errno ACCES where no rule could allow it."""
        if DEFAULT not in self._hosts and name.lower() not in self._hosts:
            raise WasiError(ACCES)
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                raise WasiError(NOMEM)
            self._names.append(name)
        place = FIRST + 1 + self._names.index(name)
        return Case("ipv4", tuple(place.to_bytes(4, "big")))

    def spelled(self, address: Case) -> tuple[str, int]:
        """The host, a name where one was looked up, and the port of a socket address."""
        if address.name == "ipv6":
            port, _, groups, _ = address.payload
            return f"[{':'.join(f'{group:x}' for group in groups)}]", port
        port, octets = address.payload
        place = int.from_bytes(bytes(octets), "big") - FIRST - 1
        if 0 <= place < len(self._names):
            return self._names[place], port
        return ".".join(map(str, octets)), port


def _host(key: str) -> str:
    """The host of a rule's key: HOST, HOST:PORT, [IPV6] or [IPV6]:PORT."""
    host, colon, port = key.rpartition(":")
    return (host if colon and port.isdigit() and not key.endswith("]") else key).lower()
