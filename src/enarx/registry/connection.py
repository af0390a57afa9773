# SPDX-License-Identifier: Apache-2.0
"""How a client speaks to a service over TLS: whom it trusts, who it is, and what each failure means.

Nothing here follows a redirect, reads a proxy from the environment or unpacks a compressed body.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from enarx.codec import json
from enarx.codec.digest import same, sha256
from enarx.codec.x509 import from_pem
from enarx.errors import EnarxError, Malformed, Misused, Reason, Unacceptable, Unauthentic, Undetermined

SECONDS = 10.0
"""For connecting, and between any two pieces of an answer."""
EXCHANGE_SECONDS = 300.0
"""For a whole answer: a service that drips bytes does not hold us for ever."""
MAX_PROBLEM = 64_000
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_BY_STATUS = {
    401: Reason.UNAUTHENTICATED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    409: Reason.ALREADY_EXISTS,
    413: Reason.TOO_LARGE,
    429: Reason.RATE_LIMITED,
}


class Identity(msgspec.Struct, frozen=True):
    """Who we are in TLS: a private key and its certificate chain (leaf first), both PEM."""

    key: bytes
    chain: bytes


def client_context(
    *, ca: bytes | None = None, ca_spki: bytes | None = None, identity: Identity | None = None
) -> ssl.SSLContext:
    """A TLS 1.3 context.

    ca        PEM: trust these CAs and no others; None trusts what this machine trusts
    ca_spki   SHA-256 of the SubjectPublicKeyInfo that one of `ca` must have, and only that one is
              trusted: then it does not matter who supplied `ca`
    identity  shown when the service asks; it never touches a disk
    """
    if ca_spki is not None:
        ca = _pinned(ca or b"", ca_spki)
    try:
        context = ssl.create_default_context(cadata=ca.decode("ascii") if ca is not None else None)
    except (ValueError, ssl.SSLError):
        raise Malformed(Reason.SYNTAX, "CA certificates: not PEM") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if ca is not None:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if identity is not None:
        _load(context, identity)
    return context


def _pinned(ca: bytes, spki: bytes) -> bytes:
    for one in from_pem(ca, "CA certificates"):
        if same(sha256(one.spki), spki):
            return ssl.DER_cert_to_PEM_cert(one.raw).encode()
    raise Unauthentic(Reason.UNKNOWN_ANCHOR, "CA certificates: none has the pinned key")


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    # `ssl` reads keys from files only; this one has no name and is gone when it is closed.
    handle = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(identity.key.rstrip() + b"\n" + identity.chain)
        context.load_cert_chain(f"/proc/self/fd/{handle}", password=_no_password)
    except (ValueError, ssl.SSLError):
        raise Misused(Reason.KEY_INVALID, "identity: key and certificate do not fit") from None
    finally:
        os.close(handle)


def _no_password() -> str:
    raise ValueError("the key is encrypted")


class Answer(msgspec.Struct, frozen=True):
    """A successful answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """An HTTP client whose every failure is one of ours. Close it, or use it in a `with`."""

    __slots__ = ("_client",)

    def __init__(self, context: ssl.SSLContext, *, token: str | None = None, seconds: float = SECONDS) -> None:
        headers = {"user-agent": "enarx", "accept-encoding": "identity"}
        if token is not None:
            if not token.isascii() or not token.isprintable():
                raise Misused(Reason.SYNTAX, "token: not printable ASCII")
            headers["authorization"] = f"Bearer {token}"
        self._client = httpx.Client(verify=context, timeout=seconds, headers=headers, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every connection."""
        self._client.close()

    def ask(self, method: str, url: str, *, limit: int, accepted: frozenset[int] = frozenset(), **more: Any) -> Answer:
        """One exchange. Of the answer's body at most `limit` + 1 bytes are read.

        accepted  statuses besides 2xx that are answers and not refusals

        Raises what the service says no with (`Unacceptable`), or why there is no answer
        (`Undetermined`; `Unauthentic` when TLS does not vouch for one of the two).
        """
        with translated(url), self._client.stream(method, url, **more) as answer:
            good = 200 <= answer.status_code < 300 or answer.status_code in accepted
            body = _read(answer, limit if good else MAX_PROBLEM)
            if not good:
                raise refusal(answer.status_code, body, host_of(url))
            return Answer(answer.status_code, answer.headers, body)


def _read(answer: httpx.Response, limit: int) -> bytes:
    until = time.monotonic() + EXCHANGE_SECONDS
    pieces, size = [], 0
    for piece in answer.iter_raw(1 << 18):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            break
        if time.monotonic() > until:
            raise Undetermined(Reason.TIMED_OUT, f"{answer.url.netloc.decode()}: the answer is too slow")
    return b"".join(pieces)[: limit + 1]


def refusal(status: int, body: bytes, host: str) -> EnarxError:
    """What a refusing answer means. Its words are a stranger's: shortened, and without control characters."""
    said, reason = "", None
    with contextlib.suppress(Malformed):
        document = json.decode(body, "problem", limit=MAX_PROBLEM)
        if isinstance(document, dict):
            said = str(document.get("detail") or document.get("title") or "")
            reason = document.get("reason")
    said = "".join(one if one.isprintable() else " " for one in said)[:300]
    subject = f"{host}: {said}" if said else f"{host}: status code {status}"
    if status in _BY_STATUS:
        return Unacceptable(_BY_STATUS[status], subject)
    if 400 <= status < 500 and reason in set(Reason):
        return Unacceptable(Reason(reason), subject)
    return Undetermined(Reason.UNEXPECTED_ANSWER, f"{host}: status code {status}" + (f": {said}" if said else ""))


def host_of(url: str) -> str:
    """HOST:PORT of a URL; `Misused` for what is none."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        raise Misused(Reason.SYNTAX, f"URL {url[:200]!r}") from None


def require_secure(url: str, what: str) -> None:
    """The URL is https:, or http: to this very machine."""
    try:
        split = urlsplit(url)
        host = split.hostname
    except ValueError:
        raise Misused(Reason.SYNTAX, f"{what} {url[:200]!r}") from None
    if not host or (split.scheme != "https" and not (split.scheme == "http" and host in LOOPBACK)):
        raise Misused(Reason.USAGE, f"{what} {url[:200]!r}: not an https: URL")


@contextlib.contextmanager
def translated(url: str) -> Iterator[None]:
    """Failures of HTTP, TLS and sockets as errors of ours, which name the service."""
    host = host_of(url)
    try:
        yield
    except httpx.TimeoutException:
        raise Undetermined(Reason.TIMED_OUT, host) from None
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        raise Misused(Reason.SYNTAX, f"URL {url!r}") from None
    except httpx.TransportError as error:
        raise _transport(error, host) from None


def _transport(error: httpx.TransportError, host: str) -> EnarxError:
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return Unauthentic(Reason.UNKNOWN_ANCHOR, f"{host}: TLS certificate: {cause.verify_message}")
            case ssl.SSLError() if "alert" in str(cause).lower():
                said = str(cause.reason or "").replace("_", " ").lower()
                return Unauthentic(Reason.UNAUTHENTICATED, f"{host}: refuses our TLS: {said}")
            case socket.gaierror():
                return Undetermined(Reason.NAME_NOT_RESOLVED, host)
            case _:
                cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.RemoteProtocolError):
        return Undetermined(Reason.UNEXPECTED_ANSWER, f"{host}: {error}")
    return Undetermined(Reason.UNREACHABLE, f"{host}: {error}" if str(error) else host)
