"""A Keep's end, when the Steward is down, slow, talks nonsense, or is not the Steward."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enarx.errors import Misused, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.identity.authority import Authority
from enarx.identity.ca import service_certificate
from enarx.identity.client import StewardClient, request_nonce
from enarx.identity.issued import accept
from enarx.identity.signer import KeySigner
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import TRUST_DOMAIN, Keep, Pki

NOW = datetime.now(UTC)


@contextlib.contextmanager
def answering(pki: Pki, folder: Path, talk: Callable[[ssl.SSLSocket], None], role: str = "steward") -> Iterator[str]:
    """A server with the Steward's certificate, and words of its own."""
    authority = Authority(pki.ca.path, KeySigner(pki.ca.key), trust_domain=TRUST_DOMAIN)
    chain, key = service_certificate(authority, ["127.0.0.1"], when=NOW, serial=99, role=role)
    (folder / "crt").write_bytes(chain)
    (folder / "key").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(plain,), daemon=True).start()

        def one(plain: socket.socket) -> None:
            with contextlib.suppress(OSError, ssl.SSLError), context.wrap_socket(plain, server_side=True) as tls:
                if asked(tls):
                    talk(tls)

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def asked(tls: ssl.SSLSocket) -> bool:
    """Read one whole request."""
    received = b""
    while not (b"\r\n\r\n" in received and received.endswith(b"}")):
        chunk = tls.recv(65536)
        if not chunk:
            return False
        received += chunk
    return True


def http(status: str, body: bytes, media_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_steward_that_is_down_is_unreachable(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(Undetermined) as ended:
        StewardClient(f"https://127.0.0.1:{port}", ca_pins=[pki.pin])
    assert Reason.UNREACHABLE is ended.value.reason
    assert f"127.0.0.1:{port}" in str(ended.value)


def test_a_steward_that_says_nothing_times_out(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Undetermined) as ended:
        StewardClient(f"https://127.0.0.1:{silent.getsockname()[1]}", ca_pins=[pki.pin], patience=0.5)
    assert Reason.TIMED_OUT is ended.value.reason


def test_a_steward_that_is_slow_times_out(pki: Pki, tmp_path: Path) -> None:
    with (
        answering(pki, tmp_path, lambda _: time.sleep(5)) as url,
        pytest.raises(Undetermined) as ended,
        StewardClient(url, ca_pins=[pki.pin], patience=0.5) as steward,
    ):
        steward.nonce(bytes(32))
    assert Reason.TIMED_OUT is ended.value.reason


@pytest.mark.parametrize(
    "said",
    [
        b"what\r\n\r\n",
        b"",
        http("200 OK", b"[]"),
        http("200 OK", b'{"nonce":"AAAA","expires":"2026-01-01T00:00:00Z"}'),
        http("200 OK", b"{"),
        http("200 OK", b"[" * 100000),
        http("200 OK", b" " * (2 << 20)),
        http("404 Not Found", b"<html>"),
        http("500 Oops", b'{"reason":"internal","family":"faulty"}', "application/problem+json"),
        http("302 Found", b"", "text/plain"),
    ],
)
def test_a_steward_that_talks_nonsense_leaves_the_question_open(pki: Pki, tmp_path: Path, said: bytes) -> None:
    with (
        answering(pki, tmp_path, lambda tls: tls.sendall(said)) as url,
        pytest.raises(Undetermined) as ended,
        StewardClient(url, ca_pins=[pki.pin], patience=5) as steward,
    ):
        steward.nonce(bytes(32))
    assert ended.value.reason in {Reason.UNEXPECTED_ANSWER, Reason.UNREACHABLE}


def test_a_refusal_keeps_its_reason_hint_and_findings(pki: Pki, tmp_path: Path) -> None:
    body = (
        b'{"type":"x","title":"x","status":403,"reason":"debug-enabled","family":"unacceptable","detail":"debug",'
        b'"hint":"no","findings":[{"name":"debug","verdict":"failed","reason":"debug-enabled","fact":"1"}]}'
    )
    said = http("403 Forbidden", body, "application/problem+json")
    with (
        answering(pki, tmp_path, lambda tls: tls.sendall(said)) as url,
        pytest.raises(Unacceptable) as ended,
    ):
        request_nonce(url, bytes(32), ca_pins=[pki.pin])
    assert (ended.value.reason, ended.value.hint) == (Reason.DEBUG_ENABLED, "no")
    assert [check.reason for check in ended.value.checks] == [Reason.DEBUG_ENABLED]


def test_a_keeps_certificate_of_the_same_ca_is_not_a_stewards(pki: Pki, tmp_path: Path) -> None:
    nonce = base64.b64encode(bytes(32))
    said = http("200 OK", b'{"nonce":"' + nonce + b'","expires":"2026-01-01T00:00:00Z"}')
    with (
        answering(pki, tmp_path, lambda tls: tls.sendall(said), role="keep/aa/bb") as url,
        pytest.raises(Unauthentic) as ended,
    ):
        request_nonce(url, bytes(32), ca_pins=[pki.pin])
    assert Reason.CERTIFICATE_PROFILE is ended.value.reason


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense", "https://", "ftp://a"])
def test_only_https_is_asked(url: str) -> None:
    with pytest.raises(Misused):
        StewardClient(url, ca_pins=[bytes(32)])


def test_a_certificate_for_another_key_or_launch_is_not_taken(keep: Keep, chip: SimulatedSnp) -> None:
    identity = keep.identity()
    raw = tuple(one.raw for one in identity.chain)
    other = Keep(chip, keep.pin, keep.url)
    for request, launch in ((other.request, keep.launch), (keep.request, other.launch)):
        with pytest.raises(Unauthentic) as ended:
            accept(raw, identity.ear, request=request, launch=launch)
        assert Reason.KEY_NOT_BOUND is ended.value.reason
    with pytest.raises(Unauthentic) as ended:
        accept((raw[0], raw[2]), identity.ear, request=keep.request, launch=keep.launch)
    assert Reason.CHAIN_BROKEN is ended.value.reason
    for strange in ((), (raw[0],), (b"what", raw[1]), raw * 5):
        with pytest.raises(Undetermined):
            accept(strange, identity.ear, request=keep.request, launch=keep.launch)
