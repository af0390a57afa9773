# SPDX-License-Identifier: Apache-2.0
"""The relying party's end of the attested channel: asks a running Keep what it is."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
from OpenSSL import SSL

from enarx.codec.x509 import Certificate
from enarx.delivery.exchange import ALPN, MAX_ANSWER, NONCE_SIZE, Answer, Question, parse_answer
from enarx.delivery.tls import Deadline, Tls
from enarx.errors import Misused, Reason, Unauthentic, Undetermined

PATIENCE = 15.0
"""Seconds that a Keep has to answer; a TDX quote alone may take one."""


class Asked(msgspec.Struct, frozen=True):
    """What came of asking: the answer, and this end's own view of the connection.

    chain     the certificates that the Keep presented; the TLS handshake proved its key
    nonce     the nonce of this question
    exporter  this connection's exporter
    answer    what the Keep said, unjudged
    """

    chain: tuple[Certificate, ...]
    nonce: bytes
    exporter: bytes
    answer: Answer


def address(url: str) -> tuple[str, int]:
    """Host and port of an `https://` URL."""
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        raise Misused(Reason.SYNTAX, f"port in {url!r}") from None
    if parts.scheme != "https" or not parts.hostname:
        raise Misused(Reason.SYNTAX, f"{url!r} is not an https URL")
    return parts.hostname, port


def ask(url: str) -> Asked:
    """Ask the Keep at `url` with a fresh nonce.

    Its certificate is *not* judged here: believing it is the appraisal's work, over the
    evidence. `Undetermined` when nothing there answers, or not as a Keep does.
    """
    nonce = secrets.token_bytes(NONCE_SIZE)
    with connected(url, ALPN) as tls:
        tls.send(Question(nonce).encoded())
        answer = parse_answer(tls.receive(MAX_ANSWER))
        return Asked(tls.peer_chain(), nonce, tls.exporter(nonce), answer)


@contextlib.contextmanager
def connected(url: str, protocol: bytes) -> Iterator[Tls]:
    """A connection to the Keep at `url` that speaks this ALPN protocol.

    The TLS handshake proves a key and nothing else: the certificate is not judged.
    """
    host, port = address(url)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_alpn_protos([protocol])
    context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
    peer = f"{host}:{port}"
    with _connected(host, port) as stream:
        tls = Tls(context, Deadline(stream, PATIENCE), peer, server=False)
        if not host.replace(".", "").isdigit() and ":" not in host:
            tls.name_server(host)
        try:
            tls.handshake()
        except Unauthentic as error:
            raise Undetermined(
                Reason.UNEXPECTED_ANSWER, f"{peer} is not a Keep's address for {protocol.decode()} ({error.subject})"
            ) from None
        if tls.alpn() != protocol:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{peer} does not speak {protocol.decode()}")
        yield tls
        tls.close()


def _connected(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=PATIENCE)
    except socket.gaierror:
        raise Undetermined(Reason.NAME_NOT_RESOLVED, host) from None
    except TimeoutError:
        raise Undetermined(Reason.TIMED_OUT, f"{host}:{port} does not answer") from None
    except OSError as error:
        raise Undetermined(Reason.UNREACHABLE, f"{host}:{port}: {error.strerror}") from None
