# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import socket
import threading
from datetime import UTC, datetime

import pytest

from enarx.endorser.client import Client, Patience, retry_after
from enarx.endorser.request import Request, is_safe
from enarx.errors import Misused, Reason, Undetermined
from tests.endorser.conftest import Vendor, answer

QUICK = Patience(connect=5, read=5, total=20, attempts=3, pause=0.01)
BYTES = frozenset(("application/octet-stream",))


class Clock:
    """Sleeping is remembered, and moves the clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def request(vendor: Vendor, path: str = "/x", limit: int = 1000) -> Request:
    return Request(what="thing", url=vendor.url + path, accept=BYTES, limit=limit)


def refused(vendor: Vendor, **changes: object) -> tuple[Reason, list[float]]:
    clock = Clock()
    with pytest.raises(Undetermined) as caught:
        Client(QUICK, sleep=clock.sleep, clock=clock).ask(request(vendor, **changes))  # type: ignore[arg-type]
    return caught.value.reason, clock.slept


def test_the_answer_is_the_body_as_sent(vendor: Vendor) -> None:
    vendor.tell("/x", answer(200, b"\x00\x01", x_chain="abc"))
    found = Client(QUICK).ask(request(vendor))
    assert (found.body, found.headers["x-chain"]) == (b"\x00\x01", "abc")


def test_it_asks_for_no_coding_and_names_the_types_it_wants(vendor: Vendor) -> None:
    vendor.tell("/x", answer(200))
    Client(QUICK).ask(request(vendor))
    head = vendor.seen[0].lower()
    assert b"accept-encoding: identity" in head
    assert b"accept: application/octet-stream" in head


def test_not_found_is_not_asked_again(vendor: Vendor) -> None:
    assert refused(vendor) == (Reason.NOT_FOUND, [])


def test_after_429_it_waits_as_long_as_the_server_says(vendor: Vendor) -> None:
    clock = Clock()
    vendor.tell("/x", answer(429, retry_after="1"), answer(200, b"ok"))
    assert Client(QUICK, sleep=clock.sleep, clock=clock).ask(request(vendor)).body == b"ok"
    assert clock.slept == [1.0]


def test_a_wait_beyond_its_patience_ends_it_at_once(vendor: Vendor) -> None:
    vendor.tell("/x", answer(429, retry_after="3600"))
    assert refused(vendor) == (Reason.RATE_LIMITED, [])


def test_503_is_retried_with_growing_pauses_and_then_given_up(vendor: Vendor) -> None:
    vendor.tell("/x", answer(503))
    assert refused(vendor) == (Reason.UNEXPECTED_ANSWER, [0.01, 0.02])


def test_503_once_is_no_failure(vendor: Vendor) -> None:
    vendor.tell("/x", answer(503), answer(200, b"ok"))
    assert Client(QUICK).ask(request(vendor)).body == b"ok"


def test_a_refusal_is_not_retried(vendor: Vendor) -> None:
    vendor.tell("/x", answer(403))
    assert refused(vendor) == (Reason.UNEXPECTED_ANSWER, [])


def test_a_redirect_on_the_same_host_is_followed(vendor: Vendor) -> None:
    vendor.tell("/x", answer(302, location="/y"))
    vendor.tell("/y", answer(200, b"there"))
    assert Client(QUICK).ask(request(vendor)).body == b"there"


@pytest.mark.parametrize(
    "location", ["https://elsewhere.example/x", "http://127.0.0.1:9/x", "file:///etc/passwd", "//a"]
)
def test_a_redirect_to_anywhere_else_is_refused(vendor: Vendor, location: str) -> None:
    vendor.tell("/x", answer(301, location=location))
    assert Reason.UNEXPECTED_ANSWER is refused(vendor)[0]


def test_a_loop_of_redirects_ends(vendor: Vendor) -> None:
    vendor.tell("/x", answer(302, location="/x"))
    assert Reason.UNEXPECTED_ANSWER is refused(vendor)[0]


def test_an_oversized_body_is_dropped(vendor: Vendor) -> None:
    vendor.tell("/x", answer(200, bytes(1001)))
    assert Reason.TOO_LARGE is refused(vendor)[0]


def test_a_length_that_lies_low_does_not_help(vendor: Vendor) -> None:
    chunked = b"HTTP/1.1 200 ok\r\ncontent-type: application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    vendor.tell("/x", chunked + b"800\r\n" + bytes(0x800) + b"\r\n0\r\n\r\n")
    assert Reason.TOO_LARGE is refused(vendor)[0]


def test_a_length_that_lies_high_is_no_answer(vendor: Vendor) -> None:
    vendor.tell("/x", answer(200, b"short", content_length="500"))
    assert Reason.UNEXPECTED_ANSWER is refused(vendor)[0]


def test_a_compressed_answer_is_refused(vendor: Vendor) -> None:
    vendor.tell("/x", answer(200, gzip.compress(bytes(10_000)), content_encoding="gzip"))
    assert Reason.UNEXPECTED_ANSWER is refused(vendor)[0]


def test_another_media_type_is_refused(vendor: Vendor) -> None:
    vendor.tell("/x", answer(200, b"<html>", kind="text/html; charset=utf-8"))
    assert Reason.MEDIA_TYPE is refused(vendor)[0]


def test_what_is_not_http_is_no_answer(vendor: Vendor) -> None:
    vendor.tell("/x", b"\x16\x03\x01 nonsense\r\n\r\n")
    assert Reason.UNEXPECTED_ANSWER is refused(vendor)[0]


def trickle(head: bytes, pause: float = 0.05) -> object:
    def serve(connection: socket.socket) -> None:
        connection.sendall(head)
        stop = threading.Event()
        for _ in range(200):
            connection.sendall(b"x")
            stop.wait(pause)

    return serve


def silent(connection: socket.socket) -> None:
    threading.Event().wait(1)


@pytest.mark.parametrize(
    "serve",
    [
        silent,
        trickle(b"HTTP/1.1 200 ok\r\ncontent-type: application/octet-stream\r\n\r\n"),
        trickle(b"HTTP/1.1 200 ok\r\nx-padding: "),
    ],
    ids=["silent", "slow body", "slow headers"],
)
def test_a_slow_server_costs_no_more_than_the_total(vendor: Vendor, serve: object) -> None:
    vendor.tell("/x", serve)  # type: ignore[arg-type]
    patience = Patience(connect=1, read=0.3, total=0.8, attempts=2, pause=0.01)
    with pytest.raises(Undetermined) as caught:
        Client(patience).ask(request(vendor, limit=100_000))
    assert Reason.TIMED_OUT is caught.value.reason


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    asked = Request(what="thing", url=f"http://127.0.0.1:{port}/", accept=BYTES, limit=10)
    clock = Clock()
    with pytest.raises(Undetermined) as caught:
        Client(QUICK, sleep=clock.sleep, clock=clock).ask(asked)
    assert Reason.UNREACHABLE is caught.value.reason


def test_an_unknown_name_is_not_resolved() -> None:
    asked = Request(what="thing", url="https://no-such-host.invalid/", accept=BYTES, limit=10)
    clock = Clock()
    with pytest.raises(Undetermined) as caught:
        Client(QUICK, sleep=clock.sleep, clock=clock).ask(asked)
    assert Reason.NAME_NOT_RESOLVED is caught.value.reason


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://kdsintf.amd.com/x", True),
        ("http://127.0.0.1:80/x", True),
        ("http://[::1]/x", True),
        ("http://kdsintf.amd.com/x", False),
        ("http://169.254.169.254/x", False),
        ("https://user:secret@host/x", False),
        ("ftp://host/x", False),
        ("https:///x", False),
        ("http://[bad", False),
    ],
)
def test_only_https_and_this_machine_are_asked(url: str, safe: bool) -> None:
    assert safe is is_safe(url)
    if not safe:
        with pytest.raises(Misused):
            Request(what="thing", url=url, accept=BYTES, limit=10)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("5", 5.0),
        ("Thu, 01 Jan 2026 00:00:10 GMT", 10.0),
        ("99999999999999999999", 999999999.0),
        ("soon", None),
        (None, None),
        ("-1", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(said: str | None, seconds: float | None) -> None:
    assert seconds == retry_after(said, datetime(2026, 1, 1, tzinfo=UTC))
