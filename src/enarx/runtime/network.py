# SPDX-License-Identifier: Apache-2.0
"""The sockets that a manifest lists, opened by the agent before the guest starts."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from enarx.errors import Misused, Reason, Undetermined
from enarx.workload.manifest import Connect, Listen

BACKLOG = 1024
CONNECT_SECONDS = 30.0
Resolve = Callable[[str], tuple[str, ...]]
"""A name to its addresses (`resolver_client`)."""


def listening(file: Listen) -> socket.socket:
    """A listening TCP socket. `Misused` when the address is taken or not ours."""
    where = f"{_bracketed(file.addr)}:{file.port} ({file.name})"
    try:
        found = socket.getaddrinfo(file.addr, file.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Undetermined(Reason.NAME_NOT_RESOLVED, f"{file.addr}: {error.strerror}") from None
    family, _, _, _, address = found[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. A guest may write an answer in pieces, and none of them is to wait.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            hint = "stop the program that holds it, or name another port in Enarx.toml"
            raise Misused(Reason.PORT_IN_USE, where, hint=hint) from None
        raise Misused(Reason.NOT_ALLOWED, f"listening on {where}: {error.strerror}") from None
    return made


def connected(file: Connect, resolve: Resolve | None) -> socket.socket:
    """A connected TCP socket. `Undetermined` when the name or the host does not answer."""
    where = f"{_bracketed(file.host)}:{file.port} ({file.name})"
    try:
        hosts = (file.host,) if resolve is None else resolve(file.host)
        found = [one for host in hosts for one in socket.getaddrinfo(host, file.port, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise Undetermined(Reason.NAME_NOT_RESOLVED, f"{file.host}: {error.strerror}") from None
    refused = "no address"
    for family, _, _, _, address in found:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(CONNECT_SECONDS)
        try:
            made.connect(address)
        except OSError as error:
            made.close()
            refused = error.strerror or "timed out"
            continue
        made.settimeout(None)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    raise Undetermined(Reason.UNREACHABLE, f"{where}: {refused}")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
