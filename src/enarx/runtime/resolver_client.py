# SPDX-License-Identifier: Apache-2.0
"""Names into addresses over TLS: DNS over TLS (RFC 7858) and over HTTPS (RFC 8484).

The answer comes from the resolver that the launch document names, or it does not come: a resolver
that fails is never replaced by the host's. What the resolver was told by others (DNSSEC) is its affair.
"""

from __future__ import annotations

import http.client
import ipaddress
import secrets
import socket
import ssl
import threading
import time

from enarx.codec import dns
from enarx.errors import Malformed, Reason, Undetermined
from enarx.workload.resolver import Server

PATIENCE = 10.0
MOST_KEPT = 256
AT_MOST = 3600.0
"""Seconds that an answer is kept, whatever its TTL."""
_KINDS = (dns.Kind.A, dns.Kind.AAAA)
_MEDIA_TYPE = "application/dns-message"


def literal(host: str) -> bool:
    """Whether a host is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def nobody(host: str) -> tuple[str, ...]:
    """The resolver of a Keep that may not ask for names."""
    if literal(host):
        return (host,)
    raise Undetermined(
        Reason.NAME_NOT_RESOLVED, f"{host}: the launch document names no resolver", hint="deploy with --resolver"
    )


class Resolver:
    """Asks one server, and remembers what it said for as long as it said. Callable from any thread."""

    def __init__(self, server: Server, context: ssl.SSLContext) -> None:
        self._server = server
        self._context = context
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._turn = threading.Lock()

    def __call__(self, host: str) -> tuple[str, ...]:
        """The addresses of a name, IPv4 before IPv6."""
        if literal(host):
            return (host,)
        if host.rstrip(".").lower() == "localhost":  # RFC 6761 section 6.3: never asked for
            return ("127.0.0.1", "::1")
        with self._turn:
            until, kept = self._known.get(host, (0.0, ()))
        if time.monotonic() < until:
            return kept
        answers = self._ask(host)
        addresses = tuple(address for one in answers for address in one.addresses)
        if not addresses:
            said = "no such name" if any(one.code == dns.NXDOMAIN for one in answers) else _codes(answers)
            raise Undetermined(Reason.NAME_NOT_RESOLVED, f"{host}: {said}, says {self._server.host}")
        self._keep(host, addresses, min(one.seconds for one in answers if one.addresses))
        return addresses

    def _keep(self, host: str, addresses: tuple[str, ...], seconds: int) -> None:
        with self._turn:
            while len(self._known) >= MOST_KEPT:
                del self._known[next(iter(self._known))]
            self._known[host] = (time.monotonic() + min(seconds, AT_MOST), addresses)

    def _ask(self, host: str) -> list[dns.Answer]:
        ask = self._over_https if self._server.path else self._over_tls
        where = f"resolver {self._server.host}:{self._server.port}"
        first = secrets.randbelow(1 << 16)
        # RFC 8484 section 4.1: 0 over HTTPS, so that caches hit; over TLS the number tells answers apart.
        numbers = [0, 0] if self._server.path else [first, first ^ 1]
        questions = [dns.query(host, kind, number) for kind, number in zip(_KINDS, numbers, strict=True)]
        try:
            said = ask(questions)
        except ssl.SSLCertVerificationError as error:
            raise Undetermined(Reason.UNKNOWN_ANCHOR, f"{where}: {error.verify_message}") from None
        except TimeoutError:
            raise Undetermined(Reason.TIMED_OUT, where) from None
        except (OSError, http.client.HTTPException) as error:
            raise Undetermined(Reason.UNREACHABLE, f"{where}: {error}") from None
        return self._read(said, host, numbers, where)

    def _read(self, said: list[bytes], host: str, numbers: list[int], where: str) -> list[dns.Answer]:
        """Each question's answer; over TLS they may come in any order (RFC 7766 section 6.2.1.1)."""
        ordered = sorted(said, key=lambda raw: numbers.index(number) if (number := _number(raw)) in numbers else -1)
        try:
            return [
                dns.answer(raw, host, kind, number) for raw, kind, number in zip(ordered, _KINDS, numbers, strict=True)
            ]
        except Malformed as error:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{where}: {error.subject}") from None

    def _connected(self) -> ssl.SSLSocket:
        plain = socket.create_connection((self._server.host, self._server.port), timeout=PATIENCE)
        try:
            return self._context.wrap_socket(plain, server_hostname=self._server.host)
        except BaseException:
            plain.close()
            raise

    def _over_tls(self, questions: list[bytes]) -> list[bytes]:
        with self._connected() as stream:
            stream.sendall(b"".join(len(one).to_bytes(2, "big") + one for one in questions))
            return [_exactly(stream, int.from_bytes(_exactly(stream, 2), "big")) for _ in questions]

    def _over_https(self, questions: list[bytes]) -> list[bytes]:
        connection = http.client.HTTPSConnection(self._server.host, self._server.port, context=self._context)
        connection.sock = self._connected()
        headers = {"Content-Type": _MEDIA_TYPE, "Accept": _MEDIA_TYPE}
        answers = []
        try:
            for one in questions:
                connection.request("POST", self._server.path, one, headers)
                answer = connection.getresponse()
                body = answer.read(dns.MAX_MESSAGE + 1)
                if answer.status != 200 or answer.headers.get_content_type() != _MEDIA_TYPE:
                    raise http.client.HTTPException(f"status {answer.status}, {answer.headers.get_content_type()}")
                answers.append(body[: dns.MAX_MESSAGE])
        finally:
            connection.close()
        return answers


def context(roots: bytes | None) -> ssl.SSLContext:
    """TLS towards a resolver: PEM of the CAs to believe, or None for the public ones."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    if roots is None:
        made.load_default_certs()
    else:
        made.load_verify_locations(cadata=roots.decode("ascii"))
    return made


def _exactly(stream: ssl.SSLSocket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = stream.recv(size - len(found))
        if not more:
            raise ConnectionResetError("it ended early")
        found += more
    return found


def _number(raw: bytes) -> int:
    return int.from_bytes(raw[:2], "big")


def _codes(answers: list[dns.Answer]) -> str:
    failed = sorted({one.code for one in answers if one.code})
    return f"code {', '.join(map(str, failed))} (RFC 6895)" if failed else "no address"
