# SPDX-License-Identifier: Apache-2.0
"""What answering HTTP from a component costs, a fresh instance for every request on both sides."""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.runtime import MANIFEST, Result, connection, free_port, measured, served
from examples.servers import npm, server

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
COUNT = 400
CONNECTIONS = 8
ENDS = b"\r\n0\r\n\r\n"


def bursts(streams: list[socket.socket], rounds: int) -> Callable[[], float]:
    """Requests a second when every connection asks at once."""

    def batch() -> float:
        began = time.perf_counter()
        for _ in range(rounds):
            for stream in streams:
                stream.sendall(REQUEST)
            for stream in streams:
                received = stream.recv(8192)
                while not received.endswith(ENDS):
                    received += stream.recv(8192)
        return rounds * len(streams) / (time.perf_counter() - began)

    return batch


def answering(port: int) -> list[socket.socket]:
    """Connections to a server, once it answers."""
    for _ in range(600):
        with connection(port, tls=False) as stream:
            stream.sendall(REQUEST)
            if stream.recv(8192):
                break
        time.sleep(0.05)
    return [connection(port, tls=False) for _ in range(CONNECTIONS)]


def http_component() -> Iterator[Result]:
    ours, theirs = free_port(), free_port()
    enarx = str(Path(sys.executable).with_name("enarx"))
    component = str(server("c"))
    jco = str(npm() / "node_modules" / ".bin" / "jco")
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "Enarx.toml"
        manifest.write_text(MANIFEST.format(prot="tcp", port=ours))
        serve = (jco, "serve", component, f"--port={theirs}", "--host=127.0.0.1", "--isolate-requests=instance")
        with served(enarx, "run", component, f"--wasmcfgfile={manifest}"), served(*serve):
            mine, peers = answering(ours), answering(theirs)
            rounds = COUNT // CONNECTIONS
            against = "jco serve --isolate-requests=instance, 8 connections at once"
            yield measured("http.component", "requests/s", bursts(mine, rounds), bursts(peers, rounds), against, 9)
            for stream in (*mine, *peers):
                stream.close()


BENCHES: dict[str, Callable[[], Iterator[Result]]] = {"http.component": http_component}
