# SPDX-License-Identifier: Apache-2.0
"""`wasi:sockets`: what the manifest grants, TLS where it says so, and a numbered no to the rest."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable

import pytest
import trustme

from enarx.runtime.process import run, start
from enarx.runtime.workload import Identity, Stdio, Workload
from enarx.workload.manifest import Connect, File, Listen, Manifest, Network, Null, Rule, Stdout
from tests.runtime.components import in_c

TCP = Rule("tcp")
ACCESS_DENIED, CONNECTION_REFUSED, NAME_UNRESOLVABLE = 1, 14, 18


def workload(network: Network, *args: object, files: tuple[File, ...] = ()) -> Workload:
    manifest = Manifest(files=(Null(), Stdout(), Null("err"), *files), network=network)
    return Workload(in_c("sockets"), manifest, args=tuple(map(str, args)))


def printed(asked: Workload, identity: Identity | None = None) -> str:
    read, write = os.pipe()
    ended = run(asked, stdio=Stdio(None, write, None), identity=identity)
    os.close(write)
    with os.fdopen(read) as output:
        text = output.read()
    assert None is ended.reason, ended
    return text


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def identity(authority: trustme.CA) -> Identity:
    made = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
    return Identity(made.private_key_pem.bytes(), chain, authority.cert_pem.bytes())


def serving(wrap: Callable[[socket.socket], socket.socket]) -> tuple[int, threading.Thread]:
    """A server for one connection, which answers with what it was told."""
    server = socket.create_server(("localhost", 0))

    def serve() -> None:
        stream, _ = server.accept()
        server.close()
        with wrap(stream) as whole:
            said = whole.recv(100)
            whole.sendall(b"you said " + said)
            # To close with something unread would reset the connection, and lose the answer.
            assert b"" == whole.recv(100)

    thread = threading.Thread(target=serve)
    thread.start()
    return server.getsockname()[1], thread


def test_a_component_connects_to_a_name_that_a_rule_allows() -> None:
    port, thread = serving(lambda stream: stream)
    found = printed(workload(Network(outgoing={f"localhost:{port}": TCP}), "connect", "localhost", port))
    thread.join()
    assert "you said hello\n" == found


def test_tls_is_verified_against_the_name_that_was_looked_up(authority: trustme.CA, identity: Identity) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def wrap(stream: socket.socket) -> socket.socket:
        return context.wrap_socket(stream, server_side=True)

    port, thread = serving(wrap)
    network = Network(outgoing={"localhost": Rule("tls")})
    found = printed(workload(network, "connect", "localhost", port), identity)
    thread.join()
    assert "you said hello\n" == found


def test_a_connection_of_the_manifest_is_taken_over_once() -> None:
    port, thread = serving(lambda stream: stream)
    files = (Connect("backend", "localhost", port, "tcp"),)
    found = printed(workload(Network(), "connect", "localhost", port, files=files))
    thread.join()
    assert "you said hello\n" == found


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("connect", "b.example", 80), f"resolve {ACCESS_DENIED}\n"),
        (("connect", "127.0.0.1", 80), f"connect {ACCESS_DENIED}\n"),
        (("listen", 8081), f"bind {ACCESS_DENIED}\n"),
        (("udp",), f"udp {ACCESS_DENIED}\n"),
        (("connect", "no.such.host.invalid", 80), f"connect {NAME_UNRESOLVABLE}\n"),
    ],
)
def test_what_no_rule_allows_is_refused(args: tuple[object, ...], said: str) -> None:
    network = Network(outgoing={"a.example": TCP, "no.such.host.invalid": TCP}, incoming={"8080": TCP})
    assert said == printed(workload(network, *args))


def test_a_port_without_a_server_refuses_the_connection() -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
    network = Network(outgoing={"default": TCP})
    assert f"connect {CONNECTION_REFUSED}\n" == printed(workload(network, "connect", "localhost", port))


@pytest.mark.parametrize("prot", ["tcp", "tls"])
def test_a_component_listens_on_what_the_manifest_lists(prot: str, authority: trustme.CA, identity: Identity) -> None:
    """The host chose the port, so any that the component binds to stands for it."""
    read, write = os.pipe()
    files = (Listen("web", 0, "tls" if prot == "tls" else "tcp", "127.0.0.1"),)
    guest = start(workload(Network(), "listen", 8080, files=files), identity=identity, stdio=Stdio(None, write, None))
    os.close(write)
    with os.fdopen(read) as output:
        assert "listening\n" == output.readline()
        with socket.create_connection(("127.0.0.1", guest.bound[0].port)) as plain:
            stream = plain
            if prot == "tls":
                context = ssl.create_default_context()
                authority.configure_trust(context)
                stream = context.wrap_socket(plain, server_hostname="localhost")
            stream.sendall(b"some words")
            assert b"SOME WORDS" == stream.recv(100)
            if isinstance(stream, ssl.SSLSocket):
                stream.unwrap()
            stream.close()
        ended = guest.wait(20)
    assert ended is not None
    assert (0, None) == (ended.code, ended.reason)


def test_a_component_asks_for_a_port_while_it_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    read, write = os.pipe()
    guest = start(workload(Network(incoming={str(port): TCP}), "listen", port), stdio=Stdio(None, write, None))
    os.close(write)
    with os.fdopen(read) as output:
        assert "listening\n" == output.readline()
        with socket.create_connection(("localhost", port)) as stream:
            stream.sendall(b"x" * 500)
            assert b"X" * 500 == stream.recv(1000)
        ended = guest.wait(20)
    assert ended is not None
    assert 0 == ended.code
