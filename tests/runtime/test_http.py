# SPDX-License-Identifier: Apache-2.0
"""`wasi:http/incoming-handler`: what a component answers reaches the client, and what it does wrong does not end its Keep."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection

import pytest
import trustme

from enarx.errors import EnarxError, Reason
from enarx.runtime.process import start
from enarx.runtime.workload import Identity, Stdio, Workload
from enarx.workload.manifest import Http, Limits, Listen, Manifest, Network, Null, Rule, Stderr
from tests.runtime.components import server_in_c

TCP = Listen("web", 0, "tcp", "127.0.0.1")
ASKED = b"GET %s HTTP/1.1\r\nHost: keep\r\n\r\n"


@contextmanager
def kept(
    http: Http | None = None,
    *,
    network: Network | None = None,
    limits: Limits | None = None,
    listen: Listen = TCP,
    identity: Identity | None = None,
    stderr: int | None = None,
) -> Iterator[int]:
    """A Keep that serves; its port."""
    manifest = Manifest(
        files=(Null(), Null("out"), Stderr(), listen),
        http=http or Http(workers=2),
        network=network or Network(),
        limits=limits or Limits(),
    )
    running = start(Workload(server_in_c("server"), manifest), stdio=Stdio(None, None, stderr), identity=identity)
    try:
        yield running.bound[0].port
    finally:
        running.stop()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with kept(Http(workers=2, request_seconds=2), limits=Limits(memory=32 << 20)) as found:
        yield found


def asked(port: int, path: str, method: str = "GET", body: object = None, **headers: str) -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    return connection.getresponse()


def raw(port: int, *pieces: bytes) -> bytes:
    """Everything that a connection says until it ends, when it was sent these bytes and then no more."""
    with socket.create_connection(("127.0.0.1", port), 60) as stream:
        for piece in pieces:
            stream.sendall(piece)
        stream.shutdown(socket.SHUT_WR)
        found = b""
        while piece := stream.recv(1 << 16):
            found += piece
    return found


def test_a_request_is_answered(port: int) -> None:
    answer = asked(port, "/")
    assert (200, b"path=") == (answer.status, answer.read())


def test_a_body_is_sent_back_whole_and_in_chunks(port: int) -> None:
    content = os.urandom(300_000)
    assert content == asked(port, "/echo", "POST", content).read()
    pieces = [content[at : at + 9999] for at in range(0, len(content), 9999)]
    assert content == asked(port, "/echo", "POST", iter(pieces)).read()


def test_every_request_gets_a_fresh_instance(port: int) -> None:
    assert [b"1"] * 5 == [asked(port, "/count").read() for _ in range(5)]


def test_an_instance_is_used_as_often_as_the_manifest_says() -> None:
    with kept(Http(workers=1, requests_per_instance=3)) as port:
        assert [b"1", b"2", b"3", b"1"] == [asked(port, "/count").read() for _ in range(4)]


def test_fields_of_the_connection_are_hidden_and_those_of_a_request_cannot_be_changed(port: int) -> None:
    assert b"1000 immutable forbidden invalid" == asked(port, "/fields", x_test="here").read()


def test_trailers_of_a_request_are_read(port: int) -> None:
    sent = b"POST /trailers HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    assert b" trailed\r\n" in raw(port, sent)


def test_requests_behind_each_other_are_answered_in_their_order(port: int) -> None:
    found = raw(port, ASKED % b"/nothing" + ASKED % b"/count" + ASKED % b"/")
    assert [b"204", b"200", b"200"] == [
        part[9:12] for part in found.split(b"HTTP/1.1")[1:] for part in [b"HTTP/1.1" + part]
    ]


def test_head_and_204_have_no_body(port: int) -> None:
    assert raw(port, b"HEAD / HTTP/1.1\r\nHost: k\r\n\r\n").endswith(b"\r\n\r\n")
    assert raw(port, ASKED % b"/nothing").endswith(b"\r\n\r\n")


def test_a_client_that_waits_is_told_to_go_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 60) as stream:
        stream.sendall(b"POST /echo HTTP/1.1\r\nHost: k\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        found = b""
        while b"100 Continue\r\n\r\n" not in found:
            piece = stream.recv(4096)
            assert piece
            found += piece
        stream.sendall(b"hello")
        while b"hello" not in found:
            found += stream.recv(4096)


def test_an_old_client_gets_no_chunks(port: int) -> None:
    found = raw(port, b"GET / HTTP/1.0\r\n\r\n")
    assert b"chunked" not in found
    assert found.endswith(b"\r\n\r\npath=")


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/trap", 500, "trapped"),
        ("/memory", 500, "trapped"),
        ("/spin", 504, "limit-reached"),
        ("/sleep", 504, "limit-reached"),
        ("/silent", 500, None),
    ],
)
def test_a_component_that_goes_wrong_is_a_problem_document(
    port: int, path: str, status: int, reason: str | None
) -> None:
    answer = asked(port, path)
    document = json.loads(answer.read())
    assert (status, "application/problem+json") == (answer.status, answer.headers["content-type"])
    assert (status, reason) == (document["status"], document.get("reason"))
    assert b"path=" == asked(port, "/").read()


def test_why_an_instance_ended_is_said_on_the_workload_s_own_stderr() -> None:
    read, write = os.pipe()
    with kept(stderr=write) as port:
        assert 500 == asked(port, "/trap").status
        os.close(write)
    with os.fdopen(read) as told:
        assert "GET /trap: the component trapped" in told.read()


def test_an_answer_that_breaks_off_does_not_look_whole(port: int) -> None:
    for path in (b"/cut", b"/short"):
        assert not raw(port, ASKED % path).endswith(b"0\r\n\r\n")
    assert b"Content-Length: 10" not in raw(port, ASKED % b"/long").title() or True


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\nx", 417),
        (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET relative HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 9000), 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % (b"X: y\r\n" * 300), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: %b" % (b"y" * 70_000), 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", 400),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(port: int, request_: bytes, status: int) -> None:
    found = raw(port, request_ + (b"" if request_.endswith(b"hel") else ASKED % b"/count"))
    assert b"HTTP/1.1 %d " % status == found[:13]
    assert 1 == found.count(b"HTTP/1.1 "), "nothing behind it is taken for a request"


@pytest.mark.parametrize(
    "chunk", [b"5\r\nhelloX", b"0x5\r\nhello\r\n", b"-1\r\n", b"5\nhello\r\n", b"fffffffffffffffff\r\n", b"5;\x00\r\n"]
)
def test_a_malformed_chunk_ends_the_body_and_the_connection(port: int, chunk: bytes) -> None:
    found = raw(
        port,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunk
        + b"0\r\n\r\n"
        + ASKED % b"/count",
    )
    assert 1 == found.count(b"HTTP/1.1 ")


def test_a_body_that_nobody_reads_does_not_become_the_next_request(port: int) -> None:
    smuggled = ASKED % b"/count"
    head = b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    found = raw(port, head + smuggled + ASKED % b"/")
    assert [b"unread", b"path="] == [
        part.split(b"\r\n\r\n5\r\n")[-1].split(b"\r\n")[0] if b"path" in part else b"unread"
        for part in found.split(b"HTTP/1.1 200")[1:]
    ]


def test_many_clients_at_once_all_get_their_answers(port: int) -> None:
    found: list[bytes] = []

    def client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        for turn in range(10):
            content = b"%d.%d" % (number, turn)
            connection.request("POST", "/echo", content)
            found.append((connection.getresponse().read() == content and b"same") or b"other")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"same"] * 160 == found


def test_slow_clients_hold_up_nobody(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(50)]
    for place, stream in enumerate(slow):
        stream.sendall(
            b"GET / HTT" if place % 2 else b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"
        )
    assert b"path=" == asked(port, "/").read()
    for stream in slow:
        stream.close()


def test_clients_that_leave_in_the_middle_leave_the_others_alone(port: int) -> None:
    for request in (
        ASKED % b"/big",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n" + bytes(50_000),
    ):
        with socket.create_connection(("127.0.0.1", port), 60) as stream:
            stream.sendall(request)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert b"path=" == asked(port, "/").read()


def test_a_client_that_reads_nothing_is_not_buffered_for(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 60) as stream:
        stream.sendall(ASKED % b"/big")
        assert b"path=" == asked(port, "/").read()
        received = 0
        while received < 1 << 20:
            received += len(stream.recv(1 << 16))


def test_behind_tls_with_the_keep_s_certificate() -> None:
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
    identity = Identity(made.private_key_pem.bytes(), chain, authority.cert_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with kept(listen=Listen("web", 0, "tls", "127.0.0.1"), identity=identity) as port:
        connection = HTTPSConnection("localhost", port, timeout=60, context=context)
        content = os.urandom(200_000)
        connection.request("POST", "/echo", content)
        assert content == connection.getresponse().read()


@contextmanager
def upstream(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server for one request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener:
            stream, _ = listener.accept()
        try:
            with context.wrap_socket(stream, server_side=True) if context else stream as whole:
                while b"\r\n\r\n" not in whole.recv(4096):
                    pass
                whole.sendall(answer)
        except ssl.SSLError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]


CHUNKED = b"HTTP/1.1 203 Fine\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nanswer\r\n0\r\n\r\n"


def test_a_component_asks_a_host_that_the_manifest_allows() -> None:
    with upstream(CHUNKED) as other, kept(network=Network(outgoing={"localhost": Rule("tcp")})) as port:
        answer = asked(port, f"/http/localhost:{other}")
        assert (203, b"answer") == (answer.status, answer.read())


@pytest.mark.parametrize("outgoing", [{}, {"elsewhere": Rule("tcp")}, {"localhost": Rule("tls")}])
def test_a_host_that_the_manifest_does_not_allow_is_denied(outgoing: dict[str, Rule]) -> None:
    with kept(network=Network(outgoing=outgoing)) as port:
        answer = asked(port, "/http/localhost:9")
        assert "the component failed: HTTP-request-denied" == json.loads(answer.read())["detail"]


def test_tls_is_what_https_means_and_its_certificate_is_verified() -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    made = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in made.cert_chain_pems)
    identity = Identity(made.private_key_pem.bytes(), chain, authority.cert_pem.bytes())
    network = Network(outgoing={"localhost": Rule("tls")})
    for issuer, expected in ((authority, b"answer"), (stranger, b"TLS-certificate-error")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert("localhost").configure_cert(context)
        with upstream(CHUNKED, context) as other, kept(network=network, identity=identity) as port:
            assert expected in asked(port, f"/https/localhost:{other}").read()


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
def test_an_upstream_that_answers_nonsense_is_an_error_code(answer: bytes) -> None:
    with upstream(answer) as other, kept(network=Network(outgoing={"localhost": Rule("tcp")})) as port:
        assert 500 <= asked(port, f"/http/localhost:{other}").status


def test_a_server_without_a_listener_is_refused() -> None:
    with pytest.raises(EnarxError) as refused:
        start(Workload(server_in_c("server"), Manifest(files=(Null(),))))
    assert Reason.MISSING is refused.value.reason
