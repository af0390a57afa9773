"""A real resolver's two protocols over real TLS on loopback, well and badly behaved."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enarx.errors import Misused, Reason, Undetermined
from enarx.runtime import network, resolver_client, tls
from enarx.runtime.resolver_client import Resolver
from enarx.workload import resolver
from enarx.workload.manifest import Connect
from enarx.workload.resolver import Server

KNOWN = {b"\4keep\7example\0": bytes((192, 0, 2, 9))}
Reply = Callable[[bytes], bytes]


def told(asked: bytes) -> bytes:
    """The answer of a resolver that knows one name and its IPv4 address."""
    end = asked.index(b"\0", 12) + 1
    name, kind = asked[12:end], int.from_bytes(asked[end : end + 2], "big")
    value = KNOWN.get(name) if kind == 1 else None
    flags = 0x8180 if name in KNOWN else 0x8183
    head = asked[:2] + flags.to_bytes(2, "big") + bytes((0, 1, 0, int(value is not None), 0, 0, 0, 0))
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + value if value else b""
    return head + asked[12 : end + 4] + record


def over_tls(stream: ssl.SSLSocket, reply: Reply) -> None:
    answers = []
    for _ in range(2):
        size = int.from_bytes(stream.recv(2), "big")
        answers.append(reply(stream.recv(size)))
    # In the other order: whoever asks must tell them apart.
    stream.sendall(b"".join(len(one).to_bytes(2, "big") + one for one in reversed(answers)))


def over_https(stream: ssl.SSLSocket, reply: Reply, media: str = "application/dns-message") -> None:
    pending = b""
    for _ in range(2):
        while b"\r\n\r\n" not in pending or len(pending) < pending.index(b"\r\n\r\n") + 4 + 128:
            more = stream.recv(4096)
            if not more:
                return
            pending += more
        head, _, rest = pending.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /dns-query HTTP/1.1")
        assert b"application/dns-message" in head
        body, pending = rest[:128], rest[128:]
        answer = reply(body)
        stream.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer
        )


class Served:
    """Where it listens, its CA, and how often it was asked."""

    def __init__(self, port: int, roots: bytes) -> None:
        self.port, self.roots, self.connections = port, roots, 0


@contextmanager
def served(talk: Callable[[ssl.SSLSocket], None]) -> Iterator[Served]:
    identity = tls.self_signed(when=datetime.now(UTC))
    context = tls.server_context(identity)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = Served(listener.getsockname()[1], identity.chain_pem)

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                there.connections += 1
                plain.settimeout(10)
                with suppress(OSError), context.wrap_socket(plain, server_side=True) as stream:
                    talk(stream)

        threading.Thread(target=serve, daemon=True).start()
        yield there
        listener.shutdown(socket.SHUT_RDWR)


def asking(there: Served, path: str = "", roots: bytes | None = b"") -> Resolver:
    context = resolver_client.context(there.roots if roots == b"" else roots)
    return Resolver(Server("localhost", there.port, path), context)


@pytest.mark.parametrize("path", ["", "/dns-query"], ids=["tls", "https"])
def test_names_are_resolved_and_remembered(path: str) -> None:
    with served(lambda stream: (over_https if path else over_tls)(stream, told)) as there:
        ask = asking(there, path)
        assert ask("keep.example") == ("192.0.2.9",)
        assert ask("keep.example") == ("192.0.2.9",)
        assert there.connections == 1
        with pytest.raises(Undetermined) as refused:
            ask("nowhere.example")
        assert (refused.value.reason, "no such name" in refused.value.subject) == (Reason.NAME_NOT_RESOLVED, True)


def test_what_is_an_address_or_this_machine_is_not_asked_for() -> None:
    with served(lambda stream: over_tls(stream, told)) as there:
        ask = asking(there)
        assert [ask(host) for host in ("192.0.2.1", "::1", "localhost")] == [
            ("192.0.2.1",),
            ("::1",),
            ("127.0.0.1", "::1"),
        ]
        assert there.connections == 0


def test_a_resolver_that_is_somebody_else_is_not_believed() -> None:
    stranger = tls.self_signed(when=datetime.now(UTC)).chain_pem
    with served(lambda stream: over_tls(stream, told)) as there, pytest.raises(Undetermined) as refused:
        asking(there, roots=stranger)("keep.example")
    assert refused.value.reason is Reason.UNKNOWN_ANCHOR


BAD: dict[str, tuple[Reply, Reason]] = {
    "nonsense": (lambda _: b"\xff" * 40, Reason.UNEXPECTED_ANSWER),
    "nothing": (lambda _: b"", Reason.UNEXPECTED_ANSWER),
    "another name's answer": (lambda asked: told(asked).replace(b"keep", b"peek"), Reason.UNEXPECTED_ANSWER),
    "the question": (lambda asked: asked, Reason.UNEXPECTED_ANSWER),
    "a failure": (
        lambda asked: asked[:2] + b"\x81\x82" + told(asked)[4:6] + bytes(6) + told(asked)[12:30],
        Reason.NAME_NOT_RESOLVED,
    ),
}


@pytest.mark.parametrize("path", ["", "/dns-query"], ids=["tls", "https"])
@pytest.mark.parametrize("name", BAD)
def test_bad_answers_end_in_no_address(name: str, path: str) -> None:
    reply, reason = BAD[name]
    with (
        served(lambda stream: (over_https if path else over_tls)(stream, reply)) as there,
        pytest.raises(Undetermined) as refused,
    ):
        asking(there, path)("keep.example")
    assert refused.value.reason is reason


def test_a_resolver_that_hangs_up_or_is_a_web_page_is_named() -> None:
    with served(lambda stream: stream.close()) as there, pytest.raises(Undetermined) as refused:
        asking(there)("keep.example")
    assert refused.value.reason is Reason.UNREACHABLE
    with (
        served(lambda stream: over_https(stream, told, "text/html")) as there,
        pytest.raises(Undetermined, match="text/html"),
    ):
        asking(there, "/dns-query")("keep.example")


def test_without_a_resolver_only_addresses_are_reached() -> None:
    assert resolver_client.nobody("192.0.2.1") == ("192.0.2.1",)
    with pytest.raises(Undetermined) as refused:
        resolver_client.nobody("keep.example")
    assert refused.value.reason is Reason.NAME_NOT_RESOLVED


def test_urls_of_resolvers() -> None:
    assert resolver.server("tls://dns.example") == Server("dns.example", 853)
    assert resolver.server("tls://[2001:db8::1]:8853") == Server("2001:db8::1", 8853)
    assert resolver.server("https://dns.example/dns-query") == Server("dns.example", 443, "/dns-query")
    for text in ("", "host"):
        resolver.require(text)
    for text in (
        "dns.example",
        "udp://dns.example",
        "tls://dns.example/x",
        "https://dns.example",
        "tls://a:0",
        "tls://a:99999",
    ):
        with pytest.raises(Misused):
            resolver.require(text)


def test_the_public_authorities_are_believed_unless_one_is_pinned(tmp_path: Path) -> None:
    assert resolver_client.context(None).verify_mode is ssl.CERT_REQUIRED


def test_a_connection_goes_where_the_resolver_says_and_nowhere_without_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        file = Connect("keep", "keep.example", there.getsockname()[1], "tcp")
        asked: list[str] = []

        def resolve(host: str) -> tuple[str, ...]:
            asked.append(host)
            return ("127.0.0.1",)

        with network.connected(file, resolve):
            assert asked == ["keep.example"]
        with pytest.raises(Undetermined):
            network.connected(file, resolver_client.nobody)
