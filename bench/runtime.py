# SPDX-License-Identifier: Apache-2.0
"""What running in a Keep costs: starting, calling the host, serving HTTP.

Every ratio is taken from batches of both sides in turn, as the median of the batches' ratios.
"""

from __future__ import annotations

import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from enarx.runtime.engine.capi import Library, library_path
from enarx.runtime.engine.host import Bridge
from enarx.runtime.engine.machine import Machine
from enarx.runtime.wasi.descriptor import Table
from enarx.runtime.wasi.fd import Descriptors
from enarx.runtime.wasi.memory import GuestMemory
from enarx.runtime.wasi.stream import Null
from examples.build import ROOT, build, build_source

PROGRAMS = ROOT / "tests" / "runtime" / "programs"
Result = dict[str, object]


def measured(
    name: str, unit: str, ours: Callable[[], float], theirs: Callable[[], float], against: str, rounds: int
) -> Result:
    """Ours over theirs, each a number of `unit`; the first batch of each warms up."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    value = statistics.median(one for one, _ in pairs)
    ratio = statistics.median(one / other for one, other in pairs)
    return {"name": name, "value": round(value, 4), "unit": unit, "ratio": round(ratio, 3), "against": against}


def wall(*command: str) -> float:
    """Milliseconds from exec to exit."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def run_start() -> Iterator[Result]:
    hello = str(build_source(PROGRAMS / "hello_wasi_snapshot1.wat"))
    enarx = str(Path(sys.executable).with_name("enarx"))
    yield measured(
        "run.start",
        "ms",
        lambda: wall(enarx, "run", hello),
        lambda: wall(sys.executable, "-c", "import wasmtime"),
        "python -c 'import wasmtime'",
        15,
    )


CALLS = 100_000
LOOP = """
(module
  (import "host" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\\20\\00\\00\\00\\01\\00\\00\\00")
  (func (export "_start") (local $n i32)
    (loop $again
      (if (call $call (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 64)) (then unreachable))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 100000))))))
"""


def loop(empty: bool) -> Callable[[], float]:  # noqa: FBT001
    """Nanoseconds a call takes: `fd_write` of one byte to the null file, or an empty function."""
    import wasmtime

    machine = Machine(Library(library_path()))
    memory = GuestMemory()
    bridge = Bridge(machine.library, memory, lambda _: None)
    table = Table(8)
    table.add(Null())

    def nothing(_env: int, _caller: int, raw: list[int], _count: int) -> int | None:
        raw[0] = 0
        return None

    writing = bridge.one_buffer(table, Descriptors(memory, table).fd_write, reading=False)
    machine.define("host", "call", "iiii", nothing if empty else writing, answers=True)
    instance = machine.instantiate(machine.compile(bytes(wasmtime.wat2wasm(LOOP))), memory, bridge)

    def batch() -> float:
        began = time.perf_counter()
        machine.call(instance, "_start", bridge)
        return (time.perf_counter() - began) / CALLS * 1e9

    return batch


def hostcall() -> Iterator[Result]:
    against = "an empty function of the same type on the same interface"
    yield measured("wasi.hostcall", "ns", loop(empty=False), loop(empty=True), against, 15)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 26\r\n\r\nHello from inside a Keep!\n"
PLAIN_LOOP = """
import socket, ssl, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
context = None
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
while True:
    stream, _ = server.accept()
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        stream = context.wrap_socket(stream, server_side=True)
    while stream.recv(8192):
        stream.sendall(ANSWER)
""".replace("ANSWER", repr(ANSWER))
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MANIFEST = """
files = [{{kind = "null"}}, {{kind = "stdout"}}, {{kind = "stderr"}},
  {{kind = "listen", name = "web", prot = "{prot}", addr = "127.0.0.1", port = {port}}}]
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def served(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def connection(port: int, *, tls: bool) -> socket.socket:
    for _ in range(100):
        try:
            stream = socket.create_connection(("127.0.0.1", port))
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not tls:
        return stream
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(stream)


def requests(stream: socket.socket, count: int) -> Callable[[], float]:
    """Requests a second, one after the other on one connection."""

    def batch() -> float:
        began = time.perf_counter()
        for _ in range(count):
            stream.sendall(REQUEST)
            received = stream.recv(8192)
            while len(received) < len(ANSWER):
                received += stream.recv(8192)
        return count / (time.perf_counter() - began)

    return batch


def http(name: str, prot: str, count: int, against: str) -> Iterator[Result]:
    # Everything on one processor: where the scheduler puts two of three processes changes the rate fivefold.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    ours, theirs = free_port(), free_port()
    enarx = str(Path(sys.executable).with_name("enarx"))
    with tempfile.TemporaryDirectory() as folder:
        manifest, pem = Path(folder) / "Enarx.toml", Path(folder) / "server.pem"
        manifest.write_text(MANIFEST.format(prot=prot, port=ours))
        if prot == "tls":
            import trustme

            trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
        extra = (str(pem),) if prot == "tls" else ()
        with (
            served(enarx, "run", str(build("http-hello")), f"--wasmcfgfile={manifest}"),
            served(sys.executable, "-c", PLAIN_LOOP, str(theirs), *extra),
            connection(ours, tls=prot == "tls") as mine,
            connection(theirs, tls=prot == "tls") as plain,
        ):
            yield measured(name, "requests/s", requests(mine, count), requests(plain, count), against, 21)


def http_tcp() -> Iterator[Result]:
    yield from http("http.p1.tcp", "tcp", 2000, "recv and sendall in plain Python")


def http_tls() -> Iterator[Result]:
    yield from http("http.p1.tls", "tls", 1000, "the same loop with Python's ssl in one process")


SELECTORS_LOOP = """
import selectors, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512)
server.setblocking(False)
ready = selectors.DefaultSelector()
ready.register(server, selectors.EVENT_READ)
while True:
    for key, _ in ready.select():
        if key.fileobj is server:
            stream, _ = server.accept()
            stream.setblocking(False)
            ready.register(stream, selectors.EVENT_READ)
        elif key.fileobj.recv(8192):
            key.fileobj.send(ANSWER)
        else:
            ready.unregister(key.fileobj)
            key.fileobj.close()
""".replace("ANSWER", repr(ANSWER))
CONNECTIONS = 255


def bursts(streams: list[socket.socket], rounds: int) -> Callable[[], float]:
    """Requests a second when every connection asks at once."""

    def batch() -> float:
        began = time.perf_counter()
        for _ in range(rounds):
            for stream in streams:
                stream.sendall(REQUEST)
            for stream in streams:
                received = stream.recv(8192)
                while len(received) < len(ANSWER):
                    received += stream.recv(8192)
        return rounds * len(streams) / (time.perf_counter() - began)

    return batch


def http_poll() -> Iterator[Result]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    ours, theirs = free_port(), free_port()
    enarx = str(Path(sys.executable).with_name("enarx"))
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "Enarx.toml"
        manifest.write_text(MANIFEST.format(prot="tcp", port=ours))
        with (
            served(enarx, "run", str(build("http-hello")), f"--wasmcfgfile={manifest}"),
            served(sys.executable, "-c", SELECTORS_LOOP, str(theirs)),
        ):
            mine = [connection(ours, tls=False) for _ in range(CONNECTIONS)]
            plain = [connection(theirs, tls=False) for _ in range(CONNECTIONS)]
            against = "a selectors server in plain Python"
            yield measured("http.p1.poll256", "requests/s", bursts(mine, 8), bursts(plain, 8), against, 15)
            for stream in (*mine, *plain):
                stream.close()


BENCHES: dict[str, Callable[[], Iterator[Result]]] = {
    "run.start": run_start,
    "wasi.hostcall": hostcall,
    "http.p1.tcp": http_tcp,
    "http.p1.tls": http_tls,
    "http.p1.poll256": http_poll,
}
