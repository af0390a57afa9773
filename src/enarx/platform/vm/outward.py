# SPDX-License-Identifier: Apache-2.0
"""How the agent's sockets reach the world from a machine without a network device: by asking process 1.

Installed in the agent's process before the agent runs, so that the agent is the same program as on the
`process` backend. Names are passed on unresolved: who answers for them is the launcher, whom nobody
believes; TLS tells whether the right peer was reached.
"""

from __future__ import annotations

import socket
from typing import Any

ADDRESS = ("127.0.0.1", 3128)
"""Where process 1 takes requests for connections."""
_MAX_ANSWER = 256
_connect_directly = socket.socket.connect


def install() -> None:
    """From now on every connection that this process makes goes through the launcher."""
    setattr(socket.socket, "connect", connect)  # noqa: B010 - a class of C, replaced for this process
    socket.getaddrinfo = unresolved


def unresolved(host: Any, port: Any, *_: object, **more: Any) -> list[Any]:
    """`socket.getaddrinfo` without an answer: the name itself stands for its address."""
    name = host.decode() if isinstance(host, bytes) else (host or "127.0.0.1")
    if more.get("flags", 0) & socket.AI_PASSIVE and ":" in name:
        return [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (name, int(port or 0), 0, 0))]
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (name, int(port or 0)))]


def connect(sock: socket.socket, address: Any) -> None:
    """`socket.connect` that asks process 1 when the address is one of the Internet."""
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        _connect_directly(sock, address)
        return
    _connect_directly(sock, ADDRESS)
    host, port = address[:2]
    where = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    sock.sendall(f"CONNECT {where}:{port} HTTP/1.1\r\n\r\n".encode("ascii"))
    said = b""
    while not said.endswith(b"\r\n\r\n") and len(said) < _MAX_ANSWER:
        # One byte at a time: what follows the answer belongs to the connection.
        more = sock.recv(1)
        said += more
        if not more:
            break
    if not said.startswith(b"HTTP/1.1 200 "):
        raise ConnectionRefusedError(111, f"the launcher does not reach {where}:{port}")
