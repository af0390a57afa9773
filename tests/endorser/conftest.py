# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

Serve = bytes | Callable[[socket.socket], None]


class Vendor:
    """A server on this machine that answers each path with the bytes it was told, true or not."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.answers: dict[str, list[Serve]] = {}
        self.seen: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def tell(self, path: str, *answers: Serve) -> None:
        """The answers to a path, one a request; the last one again and again."""
        self.answers[path] = list(answers)

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            request = _whole(connection)
            self.seen.append(request)
            path = request.split(b" ", 2)[1].decode() if b" " in request else ""
            known = self.answers.get(path) or self.answers.get(path.partition("?")[0]) or [answer(404)]
            serve = known.pop(0) if len(known) > 1 else known[0]
            try:
                if callable(serve):
                    serve(connection)
                else:
                    connection.sendall(serve)
            except OSError:
                return


def _whole(connection: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw and (part := connection.recv(65536)):
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    wanted = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")), 0)
    while len(body) < wanted and (part := connection.recv(65536)):
        body += part
        raw += part
    return raw


def answer(status: int, body: bytes = b"", *, kind: str = "application/octet-stream", **headers: str) -> bytes:
    """An HTTP answer, with an honest length unless `headers` say otherwise."""
    listed = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
    listed |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in listed.items())
    return f"HTTP/1.1 {status} said\r\n{head}\r\n".encode() + body


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    server = Vendor()
    yield server
    server.close()
