# SPDX-License-Identifier: Apache-2.0
"""The door of the runtime: guests beside their agent, their TLS, their limits, and how they end."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme
import wasmtime

from enarx.errors import Misused, Reason, Unacceptable, Undetermined
from enarx.runtime.process import run, start
from enarx.runtime.spawn import spawn
from enarx.runtime.workload import NO_STDIO, Exit, Identity, Stdio, Workload
from enarx.workload.manifest import DEFAULT, Limits, Listen, Manifest, Null, Stdin, Stdout
from examples.build import build, build_source

PROGRAMS = Path(__file__).parent / "programs"
PROC_EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
FD_WRITE = '(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))'


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


LOOP = wasm('(module (func (export "_start") (loop br 0)))')


def ended(module: bytes, manifest: Manifest = DEFAULT, **how: object) -> Exit:
    return run(Workload(module, manifest, **how), stdio=NO_STDIO)


def web(prot: str) -> Manifest:
    """What http-hello needs, on a free port."""
    return Manifest(files=(Null(), Null("out"), Null("err"), Listen("web", 0, prot, "127.0.0.1")))


def test_output_goes_where_the_launcher_says() -> None:
    read, write = os.pipe()
    module = build_source(PROGRAMS / "hello_wasi_snapshot1.wat").read_bytes()
    assert Exit(0) == run(Workload(module, DEFAULT), stdio=Stdio(None, write, None))
    os.close(write)
    assert b"Hello, world!\n" == os.read(read, 100)
    os.close(read)


def test_a_script_of_the_package_plays_stdin() -> None:
    read, write = os.pipe()
    manifest = Manifest(files=(Stdin(source="in.txt"), Stdout()))
    workload = Workload(build_source(PROGRAMS / "echo.c").read_bytes(), manifest, {"in.txt": b"from the package"})
    assert Exit(0) == run(workload, stdio=Stdio(0, write, None))
    os.close(write)
    assert b"from the package" == os.read(read, 100)
    os.close(read)


def test_a_source_that_the_package_lacks_is_refused() -> None:
    with pytest.raises(Misused) as caught:
        ended(LOOP, Manifest(files=(Stdin(source="in.txt"),)))
    assert Reason.NODE_MISSING == caught.value.reason


def test_a_guest_is_started_found_and_stopped() -> None:
    guest = start(Workload(build("http-hello").read_bytes(), web("tcp")), stdio=NO_STDIO)
    (bound,) = guest.bound
    assert ("web", "tcp", "127.0.0.1") == (bound.name, bound.prot, bound.address)
    assert guest.ready.wait(60)
    with socket.create_connection((bound.address, bound.port)) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert stream.recv(1000).endswith(b"Hello from inside a Keep!\n")
    assert None is guest.wait(0)
    assert Exit(143, detail="stopped") == guest.stop()


def test_what_keeps_a_guest_from_starting_is_raised_by_start() -> None:
    with pytest.raises(Unacceptable) as caught:
        start(Workload(wasm("(module)"), DEFAULT))
    assert Reason.NO_ENTRY_POINT == caught.value.reason


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def identity(authority: trustme.CA) -> Identity:
    certificate = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    return Identity(certificate.private_key_pem.bytes(), chain)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def ask(port: int, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as stream,
    ):
        stream.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := stream.recv(1000):
            received += piece
    return received


def test_tls_is_the_keeps_and_a_slow_handshake_holds_up_nobody(authority: trustme.CA, identity: Identity) -> None:
    guest = start(Workload(build("http-hello").read_bytes(), web("tls")), identity=identity, stdio=NO_STDIO)
    port = guest.bound[0].port
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    slow[0].sendall(b"\x16\x03\x01")
    try:
        for _ in range(3):
            assert ask(port, trusting(authority)).endswith(b"Hello from inside a Keep!\n")
    finally:
        for stream in slow:
            stream.close()
        guest.stop()


def test_tls_below_1_3_and_plain_text_are_turned_away(authority: trustme.CA, identity: Identity) -> None:
    guest = start(Workload(build("http-hello").read_bytes(), web("tls")), identity=identity, stdio=NO_STDIO)
    port = guest.bound[0].port
    context = trusting(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        ask(port, context)
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        received = b""
        while piece := stream.recv(1000):
            received += piece
    assert b"Hello" not in received
    guest.stop()


def test_half_closed_tls_still_carries_the_other_direction(authority: trustme.CA, identity: Identity) -> None:
    """The guest echoes until end of file and then says goodbye; the client ends its direction first."""
    module = build_source(PROGRAMS / "half_close.c").read_bytes()
    guest = start(Workload(module, web("tls")), identity=identity, stdio=NO_STDIO)
    context = trusting(authority)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", guest.bound[0].port)) as raw:

        def until_done(act: object) -> bytes:
            while True:
                try:
                    return act() or b""  # type: ignore[operator]
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
                except ssl.SSLZeroReturnError:
                    return b""

        until_done(tls.do_handshake)
        tls.write(b"x" * 100_000)
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        raw.sendall(outgoing.read())
        received = b""
        while piece := until_done(lambda: tls.read(65536)):
            received += piece
    assert b"x" * 100_000 + b"bye" == received
    assert Exit(0) == guest.wait(60)


def test_one_guest_serves_255_connections_at_once(authority: trustme.CA, identity: Identity) -> None:
    """All are open before the first asks; what TLS has decrypted already is seen by the guest's poll."""
    guest = start(Workload(build("http-hello").read_bytes(), web("tls")), identity=identity, stdio=NO_STDIO)
    context = trusting(authority)
    streams = []
    for _ in range(255):
        raw = socket.create_connection(("127.0.0.1", guest.bound[0].port))
        streams.append(context.wrap_socket(raw, server_hostname="localhost"))
    for stream in streams:
        stream.sendall(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    for stream in streams:
        received = b""
        while received.count(b"Keep!\n") < 2:
            received += stream.recv(1000)
        stream.close()
    guest.stop()


def test_an_endless_loop_ends_with_its_cpu_time() -> None:
    expected = Exit(reason=Reason.LIMIT_REACHED, detail="cpu_seconds = 1")
    assert expected == ended(LOOP, Manifest(limits=Limits(cpu_seconds=1)))


def test_cpu_time_is_limited_to_the_tick_and_not_to_the_second() -> None:
    began = os.times()
    found = ended(LOOP, Manifest(limits=Limits(cpu_seconds=5)), caps=Limits(cpu_seconds=0.25))
    spent = os.times()
    assert Exit(reason=Reason.LIMIT_REACHED, detail="cpu_seconds = 0.25") == found
    assert spent.children_user + spent.children_system - began.children_user - began.children_system < 0.9


HOSTILE = """
import sys
sys.path.insert(0, sys.argv[1])
import os
import enarx.runtime.guest.main as guest

def attack(*_):
    {act}

guest.execute = attack
guest.main(sys.argv[2], int(sys.argv[3]))
"""


def test_native_code_does_not_escape_the_cpu_time() -> None:
    """It ignores the timer's signal, and cannot set another."""
    act = (
        "import _signal; _signal.signal(27, _signal.SIG_IGN); _signal.signal(24, _signal.SIG_IGN)\n    while True: pass"
    )
    workload = Workload(LOOP, Manifest(limits=Limits(cpu_seconds=0.25)))
    found = run(workload, stdio=NO_STDIO, process=spawn(HOSTILE.format(act=act)))
    assert Exit(reason=Reason.LIMIT_REACHED, detail="cpu_seconds = 0.25") == found


def test_native_code_does_not_escape_the_output_rate() -> None:
    """It writes to the descriptor itself, past everything that counts in its process."""
    read, write = os.pipe()
    got: list[int] = []
    sink = threading.Thread(target=lambda: got.extend(map(len, iter(lambda: os.read(read, 1 << 16), b""))), daemon=True)
    sink.start()
    manifest = Manifest(files=(Null(), Stdout()), limits=Limits(output_rate=1 << 20))
    boot = HOSTILE.format(act="n = [f for f in range(4, 64) if fifo(f)][0]\n    while True: os.write(n, b'x' * 65536)")
    boot = boot.replace(
        "def attack",
        "def fifo(f):\n    try: return os.fstat(f).st_mode >> 12 == 1\n    except OSError: return False\n\ndef attack",
    )
    found = run(Workload(LOOP, manifest), stdio=Stdio(None, write, None), process=spawn(boot))
    os.close(write)
    sink.join()
    os.close(read)
    assert Exit(reason=Reason.LIMIT_REACHED, detail="output_rate = 1048576") == found
    assert sum(got) < 4 << 20


def test_an_endless_sleep_ends_with_its_wall_time() -> None:
    manifest = Manifest(limits=Limits(wall_seconds=5))
    began = time.monotonic()
    found = ended(LOOP, manifest, caps=Limits(wall_seconds=1))
    assert Exit(reason=Reason.LIMIT_REACHED, detail="wall_seconds = 1") == found
    assert time.monotonic() - began < 5


def test_memory_beyond_the_limit_is_not_there() -> None:
    big = wasm('(module (memory (export "memory") 32) (func (export "_start")))')
    found = ended(big, Manifest(limits=Limits(memory=1 << 20)))
    assert Reason.LIMIT_REACHED == found.reason
    grows = wasm(
        f'(module {PROC_EXIT} (memory (export "memory") 1)'
        '(func (export "_start") (call $exit (i32.eq (memory.grow (i32.const 100)) (i32.const -1)))))'
    )
    assert Exit(1) == ended(grows, Manifest(limits=Limits(memory=1 << 20)))
    assert Exit(0) == ended(grows)


def test_a_flood_of_output_ends_the_guest() -> None:
    flood = wasm(
        f'(module {FD_WRITE} (memory (export "memory") 1) (data (i32.const 4) "\\00\\10")'
        '(func (export "_start") (loop (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) br 0)))'
    )
    read, write = os.pipe()
    sink = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(read, 1 << 16), b"")], daemon=True)
    sink.start()
    manifest = Manifest(files=(Null(), Stdout()), limits=Limits(output_rate=1 << 20))
    found = run(Workload(flood, manifest), stdio=Stdio(None, write, None))
    os.close(write)
    sink.join()
    os.close(read)
    assert Exit(reason=Reason.LIMIT_REACHED, detail="output_rate = 1048576") == found


def test_a_deep_recursion_is_a_trap() -> None:
    found = ended(wasm('(module (func $f (export "_start") (call $f)))'))
    assert (Reason.TRAPPED, "call stack exhausted") == (found.reason, found.detail)


def test_a_missing_engine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enarx.runtime.spawn.library_path", lambda: "")
    with pytest.raises(Undetermined) as caught:
        ended(LOOP)
    assert Reason.BACKEND_UNAVAILABLE == caught.value.reason
