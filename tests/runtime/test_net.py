# SPDX-License-Identifier: Apache-2.0
"""`/net`: sockets that a guest opens as files, under its manifest's `[network]`."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from enarx.runtime.allowance import incoming, outgoing
from enarx.runtime.process import run, start
from enarx.runtime.workload import Identity, Stdio, Workload
from enarx.workload.manifest import Connect, Listen, Manifest, Network, Null, Rule, Stdout
from examples.build import build_source

PROGRAM = Path(__file__).parent / "programs" / "net.c"
TCP, TLS = Rule("tcp"), Rule("tls")


def test_the_most_specific_rule_wins() -> None:
    network = Network(outgoing={"default": TCP, "a.example": TLS, "a.example:80": TCP, "[::1]:7": TCP})
    expected = {
        "a.example": Connect("a.example", "a.example", 80, "tcp"),
        "a.example:80": Connect("a.example:80", "a.example", 80, "tcp"),
        "a.example:9": Connect("a.example:9", "a.example", 9, "tls"),
        "b.example": Connect("b.example", "b.example", 80, "tcp"),
        "[::1]:7": Connect("[::1]:7", "::1", 7, "tcp"),
    }
    assert expected == {name: outgoing(network, name) for name in expected}


@pytest.mark.parametrize("name", ["", "a b", "a:0", "a:70000", "a:x", "../a", "a/b", "[::1", "a:1:2"])
def test_what_is_no_name_is_never_allowed(name: str) -> None:
    assert None is outgoing(Network(outgoing={"default": TCP}), name)


def test_without_a_rule_nothing_is_opened() -> None:
    assert (None, None) == (outgoing(Network(), "a.example"), incoming(Network(), "80"))
    assert None is outgoing(Network(outgoing={"a.example:443": TLS}), "b.example:443")
    assert None is incoming(Network(incoming={"80": TCP}), "81")


def test_ports_are_listened_on_by_their_rule() -> None:
    network = Network(incoming={"default": TLS, "8080": TCP})
    assert (Listen("8080", 8080, "tcp"), Listen("1", 1, "tls")) == (incoming(network, "8080"), incoming(network, "1"))
    assert [None] * 4 == [incoming(network, name) for name in ("080", "x", "70000", "")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def workload(network: Network, *args: str) -> Workload:
    manifest = Manifest(files=(Null(), Stdout(), Null("err")), network=network)
    return Workload(build_source(PROGRAM).read_bytes(), manifest, args=args)


def printed(workload: Workload) -> str:
    read, write = os.pipe()
    ended = run(workload, stdio=Stdio(None, write, None))
    os.close(write)
    with os.fdopen(read) as output:
        text = output.read()
    assert (0, None) == (ended.code, ended.reason)
    return text


def test_a_guest_connects_by_opening_a_file() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            stream, _ = server.accept()
            with stream:
                assert b"ping\n" == stream.recv(5)
                stream.sendall(b"from the server\n")

        thread = threading.Thread(target=serve)
        thread.start()
        name = f"127.0.0.1:{server.getsockname()[1]}"
        found = printed(workload(Network(outgoing={name: TCP}), "con", f"/net/con/{name}"))
        thread.join()
    assert "con open\nfrom the server\n" == found


def test_what_the_manifest_does_not_allow_is_refused() -> None:
    network = Network(outgoing={"a.example": TCP})
    paths = ("con", "/net/con/127.0.0.1:80", "lis", "/net/lis/8080")
    assert "Permission denied\nPermission denied\n" == printed(workload(network, *paths))


def test_a_name_that_does_not_resolve_is_not_there() -> None:
    network = Network(outgoing={"default": TCP})
    found = printed(workload(network, "con", "/net/con/no.such.host.invalid:80"))
    assert "No such file or directory\n" == found
    assert "Connection refused\n" == printed(workload(network, "con", f"/net/con/127.0.0.1:{free_port()}"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def identity(authority: trustme.CA) -> Identity:
    made = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
    return Identity(made.private_key_pem.bytes(), chain, authority.cert_pem.bytes())


def test_a_guest_listens_by_opening_a_file_and_tls_is_the_default(authority: trustme.CA, identity: Identity) -> None:
    port = free_port()
    read, write = os.pipe()
    guest = start(
        workload(Network(incoming={str(port): Rule()}), "lis", f"/net/lis/{port}"),
        identity=identity,
        stdio=Stdio(None, write, None),
    )
    os.close(write)
    with os.fdopen(read) as output:
        assert "lis open\n" == output.readline()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(context)
        raw = socket.create_connection(("127.0.0.1", port))
        with context.wrap_socket(raw, server_hostname="localhost") as stream:
            stream.sendall(b"hello\n")
            assert b"pong\n" == stream.recv(5)
        assert "hello\n" == output.readline()
    ended = guest.wait(60)
    assert ended is not None
    assert 0 == ended.code


def test_two_guests_talk_tls_under_the_roots_of_their_identity(identity: Identity) -> None:
    port = free_port()
    server = start(
        workload(Network(incoming={"default": Rule()}), "lis", f"/net/lis/{port}"),
        identity=identity,
        stdio=Stdio(None, None, None),
    )
    assert server.ready.wait(60)
    read, write = os.pipe()
    for _ in range(50):
        client = start(
            workload(Network(outgoing={"localhost": Rule()}), "con", f"/net/con/localhost:{port}"),
            identity=identity,
            stdio=Stdio(None, write, None),
        )
        client.wait(60)
        found = os.read(read, 100)
        if found != b"Connection refused\n":
            break
    assert b"con open\npong\n" == found
    server.stop()
    os.close(read)
    os.close(write)
