"""The attested channel: a question, an answer, and a connection that both ends agree on."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.delivery.client import address, ask
from enarx.delivery.exchange import Answer, Question, parse_answer, parse_question
from enarx.delivery.service import AttestationService, server_context
from enarx.errors import Malformed, Misused, Reason, Undetermined
from enarx.evidence.endorsement import Endorsements


def identity() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a keep")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def keep() -> Iterator[tuple[str, list[tuple[Question, bytes]]]]:
    """A running attestation service, and what it was asked."""
    asked: list[tuple[Question, bytes]] = []

    def answer(question: Question, exporter: bytes) -> Answer:
        asked.append((question, exporter))
        return Answer(b"evidence", Endorsements(certificates=(b"one", b"two")), b"launch")

    service = AttestationService(server_context(*identity()), answer)
    service.start()
    host, port = service.address
    yield f"https://{host}:{port}", asked
    service.stop()


def test_both_ends_export_the_same_bytes(keep: tuple[str, list[tuple[Question, bytes]]]) -> None:
    url, seen = keep

    asked = ask(url)

    assert [(Question(asked.nonce), asked.exporter)] == seen
    assert Answer(b"evidence", Endorsements(certificates=(b"one", b"two")), b"launch") == asked.answer
    assert asked.chain[0].name == "CN=a keep"


def test_every_question_has_its_own_nonce_and_exporter(keep: tuple[str, list[tuple[Question, bytes]]]) -> None:
    url, _ = keep

    first, second = ask(url), ask(url)

    assert first.nonce != second.nonce
    assert first.exporter != second.exporter


def test_a_port_where_nobody_listens_is_not_a_no() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(Undetermined) as caught:
        ask(f"https://127.0.0.1:{port}")

    assert caught.value.reason == Reason.UNREACHABLE


def test_a_server_that_is_no_keep_is_named_so() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def babble() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=babble, daemon=True).start()

    with listener, pytest.raises(Undetermined) as caught:
        ask(f"https://127.0.0.1:{listener.getsockname()[1]}")

    assert caught.value.reason == Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize("url", ["http://a", "https://", "a:443", "https://a:x"])
def test_only_https_urls_are_asked(url: str) -> None:
    with pytest.raises(Misused):
        address(url)


@pytest.mark.parametrize("raw", [b"", b"\xa0", Question(b"n" * 31).encoded(), Question(b"n" * 32).encoded() + b"\0"])
def test_a_question_in_any_other_form_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_question(raw)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_cut_answer_is_malformed(cut: int) -> None:
    whole = Answer(b"evidence", Endorsements(crls=(b"crl",)), b"launch").encoded()

    assert Answer(b"evidence", Endorsements(crls=(b"crl",)), b"launch") == parse_answer(whole)
    with pytest.raises(Malformed):
        parse_answer(whole[: min(cut, len(whole) - 1)])


def test_a_relying_party_that_drips_bytes_does_not_hold_the_keep() -> None:
    service = AttestationService(server_context(*identity()), lambda *_: Answer(b"", Endorsements(), b""), patience=0.5)
    service.start()
    with socket.create_connection(service.address) as slow:
        slow.settimeout(5)
        started = time.monotonic()
        ended = b"?"
        while ended == b"?" and time.monotonic() - started < 60:
            try:
                slow.sendall(b"\x16")
                slow.settimeout(0.2)
                ended = slow.recv(1)
            except TimeoutError:
                continue
            except OSError:
                ended = b""
    service.stop()

    assert ended == b""


def test_questions_asked_at_once_are_each_answered_for_their_own_connection(
    keep: tuple[str, list[tuple[Question, bytes]]],
) -> None:
    url, seen = keep
    answers: list[tuple[Question, bytes]] = []

    def one() -> None:
        asked = ask(url)
        answers.append((Question(asked.nonce), asked.exporter))

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(seen) == set(answers)
    assert 12 == len(answers)
