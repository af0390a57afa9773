# SPDX-License-Identifier: Apache-2.0
"""Servers as components, in C, JavaScript and Python: built with their own tools, asked over HTTP."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from bench.runtime import MANIFEST, free_port
from examples.servers import server
from tests.parts import program

GREETINGS = {
    "c": b"Hello from C in a Keep\n",
    "js": b"Hello from JavaScript in a Keep\n",
    "python": b"Hello from Python in a Keep\n",
}
BODY = b"what came" * 10_000


@contextmanager
def served(component: Path, folder: Path) -> Iterator[int]:
    """`enarx run` of a component behind a listener without TLS; its port, once it listens."""
    port = free_port()
    manifest = folder / "Enarx.toml"
    manifest.write_text(MANIFEST.format(prot="tcp", port=port))
    process = subprocess.Popen([sys.executable, "-m", "enarx", "run", str(component), f"--wasmcfgfile={manifest}"])
    try:
        while True:
            assert process.poll() is None
            connection = HTTPConnection("127.0.0.1", port, timeout=120)
            try:
                connection.connect()
            except ConnectionRefusedError:
                time.sleep(0.05)
                continue
            connection.close()
            yield port
            return
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("language", sorted(GREETINGS))
def test_a_component_answers_http_whatever_it_is_written_in(language: str, tmp_path: Path) -> None:
    program("npm", "npm")
    with served(server(language), tmp_path) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("GET", "/")
        greeting = connection.getresponse().read()
        connection.request("POST", "/echo", BODY)
        answer = connection.getresponse()
        echoed = answer.read()

    assert (GREETINGS[language], 200, BODY) == (greeting, answer.status, echoed)
