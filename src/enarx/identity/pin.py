# SPDX-License-Identifier: Apache-2.0
"""TLS to a service whose CA is known by a digest of its key, and by nothing else.

A first handshake only fetches the certificates that the service presents; the one whose key has
the pinned digest becomes the sole anchor of a context, and with that the real connection is
made and verified, names included. Whoever interferes with the first handshake gains nothing: no
other key has that digest.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

import httpx
from OpenSSL import SSL

from enarx.codec import x509
from enarx.codec.digest import sha256
from enarx.errors import Malformed, Reason, Unauthentic, Undetermined


def pinned_context(host: str, port: int, pins: frozenset[bytes], who: str, patience: float) -> ssl.SSLContext:
    """A context in which only a CA with one of these SPKI digests is believed.

    `Unauthentic` when the service presents none; `Undetermined` when it does not answer.
    """
    presented = _presented(host, port, who, patience)
    anchors = [one for one in presented if sha256(one.spki) in pins]
    if not anchors:
        raise Unauthentic(
            Reason.UNKNOWN_ANCHOR, who, hint="no certificate that it presents has the key that is pinned for it"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a pinned intermediate is an anchor without its root
    context.load_verify_locations(cadata=b"".join(one.raw for one in anchors))
    return context


def _presented(host: str, port: int, who: str, patience: float) -> tuple[x509.Certificate, ...]:
    until = time.monotonic() + patience
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_verify(SSL.VERIFY_NONE, lambda *_: True)
    with _connected(host, port, who, patience) as stream:
        connection = SSL.Connection(context, None)
        with contextlib.suppress(UnicodeError):
            connection.set_tlsext_host_name(host.encode("idna"))
        connection.set_connect_state()
        _handshake(connection, stream, who, until)
        found = connection.get_peer_cert_chain() or []
        with contextlib.suppress(SSL.Error, OSError):
            connection.shutdown()
            stream.sendall(connection.bio_read(65536))
    try:
        return tuple(x509.of(one.to_cryptography()) for one in found[: x509.MAX_CHAIN])
    except Malformed as error:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{who} presents {error.subject}") from None


def _connected(host: str, port: int, who: str, patience: float) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=patience)
    except socket.gaierror:
        raise Undetermined(Reason.NAME_NOT_RESOLVED, host) from None
    except TimeoutError:
        raise Undetermined(Reason.TIMED_OUT, f"{who} does not answer") from None
    except OSError as error:
        raise Undetermined(Reason.UNREACHABLE, f"{who}: {error.strerror}") from None


def _handshake(connection: SSL.Connection, stream: socket.socket, who: str, until: float) -> None:
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            _exchange(connection, stream, who, until)
        except SSL.Error:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{who} does not speak TLS 1.3") from None
        else:
            return


def _exchange(connection: SSL.Connection, stream: socket.socket, who: str, until: float) -> None:
    """Send what there is to send, and receive something."""
    try:
        with contextlib.suppress(SSL.WantReadError):
            while True:
                stream.sendall(connection.bio_read(65536))
        stream.settimeout(max(0.001, until - time.monotonic()))
        received = stream.recv(65536)
    except TimeoutError:
        raise Undetermined(Reason.TIMED_OUT, f"{who} does not answer") from None
    except OSError as error:
        raise Undetermined(Reason.UNREACHABLE, f"{who}: {error.strerror}") from None
    if not received:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{who} closes the connection")
    connection.bio_write(received)


def require_service(response: httpx.Response, who: str) -> None:
    """The peer's certificate is a service's: the same CA's Keeps have certificates too, and are not the Steward."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    names = tls.getpeercert().get("subjectAltName", ()) if tls is not None else ()
    if tls is None or any(kind == "URI" and "/keep/" in value for kind, value in names):
        raise Unauthentic(Reason.CERTIFICATE_PROFILE, f"{who} presents the certificate of a keep")
