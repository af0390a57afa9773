# SPDX-License-Identifier: Apache-2.0
"""What `[network]` of a manifest allows a guest to open while it runs.

The most specific rule wins: host with port, then host, then `default`; without any, nothing is opened.
The names are the guest's: `/net/con/HOST[:PORT]`, an IPv6 address in brackets, and `/net/lis/PORT`.
"""

from __future__ import annotations

import re

from enarx.workload.manifest import DEFAULT_PORT, MAX_PORT, Connect, Listen, Network

_TARGET = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?")
DEFAULT = "default"


def outgoing(network: Network, name: str) -> Connect | None:
    """The connection that a name stands for, or None when it is not allowed."""
    found = _TARGET.fullmatch(name)
    if found is None:
        return None
    host, typed = found["host"], found["port"]
    for key in ([name] if typed else [f"{host}:{DEFAULT_PORT[p]}" for p in ("tls", "tcp")]) + [host, DEFAULT]:
        rule = network.outgoing.get(key)
        if rule is None:
            continue
        port = int(typed) if typed else DEFAULT_PORT[rule.prot]
        if not typed and ":" in key.removeprefix(host) and key != f"{host}:{port}":
            continue
        if not 0 < port <= MAX_PORT:
            return None
        return Connect(name, host.strip("[]"), port, rule.prot, rule.trust)
    return None


def incoming(network: Network, name: str) -> Listen | None:
    """The listener that a port stands for, or None when it is not allowed."""
    if not (name.isascii() and name.isdigit()) or int(name) > MAX_PORT or name != str(int(name)):
        return None
    rule = network.incoming.get(name) or network.incoming.get(DEFAULT)
    return None if rule is None else Listen(name, int(name), rule.prot, trust=rule.trust)
