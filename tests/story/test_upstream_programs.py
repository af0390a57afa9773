# SPDX-License-Identifier: Apache-2.0
"""The twelve black-box programs of upstream's own suite, from sources of our own, through `enarx run`.

They behave as upstream's table says, except that the guest's exit code is kept.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from examples.build import build_source

PROGRAMS = Path(__file__).parent.parent / "runtime" / "programs"
LINES = (b"test\n", b"test\n", b"test\n")


def program(name: str) -> Path:
    """The compiled program."""
    return build_source(next(PROGRAMS.glob(f"{name}.[cw]*")))


def enarx_run(module: Path, *options: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """`enarx run` to its end."""
    return subprocess.run(
        [*ENARX, "run", str(module), *options], input=stdin, capture_output=True, check=False, timeout=60
    )


ENARX = (sys.executable, "-m", "enarx")


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("name", ["return_1", "wasi_snapshot1", "memspike", "memory_stress_test"])
def test_a_program_that_ends_well_exits_with_0_and_says_nothing(name: str) -> None:
    ran = enarx_run(program(name))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_hello_world_greets() -> None:
    ran = enarx_run(program("hello_wasi_snapshot1"))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"Hello, world!\n", b"")


def test_a_module_without_an_entry_point_exits_with_1() -> None:
    ran = enarx_run(program("no_export"))
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"enarx: no-entry-point: ")


def test_two_mebibytes_are_echoed_byte_for_byte() -> None:
    sent = bytes(i % 256 for i in range(2 << 20))
    ran = enarx_run(program("echo"), stdin=sent)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert sent == ran.stdout


def test_a_filter_turns_its_input() -> None:
    sent = b"Good morning, that's a nice tnetennba.\n0118 999 881 999 119 725 3\n"
    expected = b"Tbbq zbeavat, gung'f n avpr gargraaon.\n0118 999 881 999 119 725 3\n"
    assert expected == enarx_run(program("zerooneone"), stdin=sent).stdout


def manifest(folder: Path, *sockets: str) -> str:
    """An Enarx.toml with the standard streams and these tables."""
    standard = [f'kind = "{name}"' for name in ("stdin", "stdout", "stderr")]
    text = "\n".join(f"[[files]]\n{entry}\n" for entry in (*standard, *sockets))
    (folder / "Enarx.toml").write_text(text)
    return f"--wasmcfgfile={folder / 'Enarx.toml'}"


def converse(stream: socket.socket) -> None:
    """Send three lines, one by one, and have each back."""
    reader = stream.makefile("rb")
    for line in LINES:
        stream.sendall(line)
        assert line == reader.readline()


def test_a_connection_listed_in_the_manifest_is_open_when_the_guest_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        entry = f'kind = "connect"\nprot = "tcp"\nhost = "127.0.0.1"\nport = {port}\nname = "stream"'
        options = manifest(tmp_path, entry)
        with subprocess.Popen([*ENARX, "run", str(program("connect")), options], stdin=subprocess.DEVNULL) as guest:
            stream, _ = server.accept()
            with stream:
                converse(stream)
            assert guest.wait(90) == 0


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def test_a_tls_connection_shows_the_guest_plaintext(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(roots)
    monkeypatch.setenv("SSL_CERT_FILE", str(roots))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        entry = f'kind = "connect"\nprot = "tls"\nhost = "localhost"\nport = {port}\nname = "stream"'
        options = manifest(tmp_path, entry)
        with subprocess.Popen([*ENARX, "run", str(program("connect")), options], stdin=subprocess.DEVNULL) as guest:
            raw, _ = server.accept()
            with context.wrap_socket(raw, server_side=True) as stream:
                converse(stream)
            assert guest.wait(90) == 0


def test_a_server_that_nobody_vouches_for_is_not_connected_to(tmp_path: Path, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            raw, _ = server.accept()
            with pytest.raises(OSError), context.wrap_socket(raw, server_side=True) as stream:  # noqa: PT011
                stream.recv(1)

        thread = threading.Thread(target=refuse)
        thread.start()
        port = server.getsockname()[1]
        entry = f'kind = "connect"\nhost = "localhost"\nport = {port}\nname = "stream"'
        ran = enarx_run(program("connect"), manifest(tmp_path, entry))
        thread.join()
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"enarx: unknown-anchor: localhost:{port} (stream): ".encode())


@pytest.fixture
def ping() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def listening_guest(folder: Path, ping: socket.socket, prot: str) -> tuple[subprocess.Popen[bytes], int]:
    """The listening program, when it has said that it is ready."""
    port = free_port()
    options = manifest(
        folder,
        f'kind = "listen"\nprot = "{prot}"\naddr = "127.0.0.1"\nport = {port}\nname = "ingest"',
        f'kind = "connect"\nprot = "tcp"\nhost = "127.0.0.1"\nport = {ping.getsockname()[1]}\nname = "ping"',
    )
    guest = subprocess.Popen([*ENARX, "run", str(program("listen")), options], stdin=subprocess.DEVNULL)
    ready, _ = ping.accept()
    with ready:
        assert ready.recv(5) == b"ping\n"
    return guest, port


def test_a_guest_listens_on_tcp(tmp_path: Path, ping: socket.socket) -> None:
    guest, port = listening_guest(tmp_path, ping, "tcp")
    with guest:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port)) as stream:
                converse(stream)
        assert guest.wait(90) == 0


def test_a_guest_listens_on_tls(tmp_path: Path, ping: socket.socket) -> None:
    guest, port = listening_guest(tmp_path, ping, "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with guest:
        for _ in range(3):
            raw = socket.create_connection(("127.0.0.1", port))
            with context.wrap_socket(raw, server_hostname="localhost") as stream:
                assert stream.version() == "TLSv1.3"
                converse(stream)
        assert guest.wait(90) == 0
