# SPDX-License-Identifier: Apache-2.0
"""A broker and a Keep: what is said, who may come again, and what is held."""

from __future__ import annotations

import threading

import pytest

from enarx.codec import cbor
from enarx.delivery import sealed_service
from enarx.delivery.release import Secrets
from enarx.delivery.sealed import Advance, Book, parse_advance, parse_book
from enarx.delivery.sealed_service import Broker
from enarx.errors import Malformed, Misused, Reason, Unacceptable, Undetermined

ROOT = bytes(range(32))
ONE, TWO = Advance(1, b"1" * 32), Advance(2, b"2" * 32)


class Wire:
    """A connection whose other end answers with `answers`, or as a broker does."""

    def __init__(self, answers: list[bytes] | None = None) -> None:
        self.sent: list[bytes] = []
        self.answers = answers

    def allow(self, seconds: float) -> None:
        assert seconds > 0

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def receive(self, _limit: int) -> bytes:
        if self.answers is None:
            return parse_advance(self.sent[-1]).receipt()
        if not self.answers:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, "closed")
        return self.answers.pop(0)


def test_a_book_goes_into_a_parcel_and_comes_out_of_it() -> None:
    for book in (Book(ROOT), Book(ROOT, TWO)):
        assert book == parse_book(book.secrets())
    assert "Book(...)" == repr(Book(ROOT, TWO))


@pytest.mark.parametrize(
    "values", [{"root": b"short"}, {"held": ONE.encoded()}, {"root": ROOT, "more": b""}, {"root": ROOT, "held": b"x"}]
)
def test_another_parcel_is_no_book(values: dict[str, bytes]) -> None:
    with pytest.raises(Malformed):
        parse_book(Secrets(values))


@pytest.mark.parametrize("change", [{"version": 0}, {"version": -1}, {"digest": b""}, {"v": 2}, {"more": 1}])
def test_an_advance_is_exactly_that(change: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        parse_advance(cbor.encode({"v": 1, "version": 1, "digest": b"1" * 32, **change}))


def test_a_root_has_32_bytes() -> None:
    with pytest.raises(Misused):
        Book(b"short")


def test_a_book_counts_on_and_nothing_else() -> None:
    book = Book(ROOT).advanced(ONE)
    assert Book(ROOT, TWO) == book.advanced(TWO)
    assert book == book.advanced(ONE)
    for wrong in (Advance(1, b"x" * 32), Advance(3, b"3" * 32)):
        with pytest.raises(Unacceptable) as refused:
            book.advanced(wrong)
        assert Reason.NOT_FRESH == refused.value.reason


def test_a_commit_is_held_when_the_broker_says_so() -> None:
    broker, wire = Broker(), Wire()
    broker.attach(wire, Book(ROOT))
    broker.hold(1, ONE.digest)
    assert [ONE.encoded()] == wire.sent


@pytest.mark.parametrize("answers", [[], [b"nonsense"], [TWO.receipt()]])
def test_a_broker_that_says_something_else_is_let_go_of(answers: list[bytes]) -> None:
    broker, wire = Broker(), Wire(answers)
    broker.attach(wire, Book(ROOT))
    with pytest.raises(Undetermined):
        broker.hold(1, ONE.digest)
    broker.attached(wire)


def test_without_a_broker_nothing_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_service, "PATIENCE", 0.01)
    broker = Broker()
    with pytest.raises(Undetermined) as refused:
        broker.hold(1, ONE.digest)
    assert Reason.UNREACHABLE == refused.value.reason


def test_a_broker_may_come_again_and_takes_over() -> None:
    broker, first, second = Broker(), Wire(), Wire()
    broker.attach(first, Book(ROOT))
    waiting = threading.Thread(target=broker.attached, args=(first,), daemon=True)
    waiting.start()
    broker.attach(second, Book(ROOT, ONE))
    waiting.join(5)
    broker.hold(2, TWO.digest)
    assert ([], [TWO.encoded()]) == (first.sent, second.sent)
    assert not waiting.is_alive()


def test_another_root_is_refused() -> None:
    broker = Broker()
    broker.attach(Wire(), Book(ROOT))
    with pytest.raises(Unacceptable):
        broker.attach(Wire(), Book(b"x" * 32))
