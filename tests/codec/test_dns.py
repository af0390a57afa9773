from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.codec import dns
from enarx.errors import EnarxError, Malformed, Misused, Reason

NAME, NUMBER = "www.example.org", 0x1234
QUESTION = b"\3www\7example\3org\0"


def message(
    *records: bytes, flags: int = 0x8180, question: bytes = QUESTION, kind: int = 1, more: bytes = b""
) -> bytes:
    counts = b"\0\1" + len(records).to_bytes(2, "big") + bytes(4)
    return (
        b"\x12\x34" + flags.to_bytes(2, "big") + counts + question + bytes((0, kind, 0, 1)) + b"".join(records) + more
    )


def record(owner: bytes, kind: int, value: bytes, seconds: int = 60) -> bytes:
    return owner + bytes((0, kind, 0, 1)) + seconds.to_bytes(4, "big") + len(value).to_bytes(2, "big") + value


AT_QUESTION = b"\xc0\x0c"
ADDRESS = record(AT_QUESTION, 1, bytes((192, 0, 2, 7)))


def read(raw: bytes, kind: dns.Kind = dns.Kind.A) -> dns.Answer:
    return dns.answer(raw, NAME, kind, NUMBER)


def test_a_question_is_the_one_of_rfc_1035_and_its_length_tells_nothing() -> None:
    asked = dns.query(NAME, dns.Kind.A, NUMBER)
    assert asked[:12] == bytes.fromhex("123401000001000000000001")
    assert asked[12:].startswith(QUESTION + bytes((0, 1, 0, 1)))
    assert {len(dns.query(name, dns.Kind.AAAA, 0)) for name in ("a.example", NAME)} == {128}


def test_addresses_come_with_the_shortest_time_along_the_aliases() -> None:
    assert read(message(ADDRESS)) == dns.Answer(0, ("192.0.2.7",), 60)
    alias = record(AT_QUESTION, 5, b"\4host\xc0\x10", 20)
    assert read(message(alias, record(b"\4HOST\xc0\x10", 1, bytes(4)))) == dns.Answer(0, ("0.0.0.0",), 20)  # noqa: S104
    six = record(AT_QUESTION, 28, bytes(15) + b"\1")
    assert read(message(six, kind=28), dns.Kind.AAAA).addresses == ("::1",)


def test_an_answer_without_addresses_says_why() -> None:
    assert read(message(flags=0x8183)) == dns.Answer(dns.NXDOMAIN)
    assert read(message(record(AT_QUESTION, 5, b"\4host\xc0\x10"))) == dns.Answer(0)


def test_records_of_other_names_are_not_believed() -> None:
    other = record(b"\4evil\3org\0", 1, bytes((6, 6, 6, 6)))
    assert read(message(other, ADDRESS)).addresses == ("192.0.2.7",)
    assert read(message(other)).addresses == ()


BAD = {
    "another number": (b"\0\0" + message(ADDRESS)[2:], Reason.INCONSISTENT),
    "a question": (message(ADDRESS, flags=0x0100), Reason.UNKNOWN_KIND),
    "cut": (message(ADDRESS, flags=0x8380), Reason.TRUNCATED),
    "another question": (message(ADDRESS, question=b"\4evil\3org\0"), Reason.INCONSISTENT),
    "bytes after": (message(ADDRESS, more=b"\0"), Reason.TRAILING_BYTES),
    "a short address": (message(record(AT_QUESTION, 1, bytes(3))), Reason.WRONG_LENGTH),
    "a pointer to itself": (message(record(b"\xc0\x21", 1, bytes(4))), Reason.SYNTAX),
    "a pointer ahead": (message(record(b"\xc0\xff", 1, bytes(4))), Reason.SYNTAX),
    "a long label": (message(record(b"\x40" + bytes(64) + b"\0", 1, bytes(4))), Reason.TOO_LARGE),
    "a name without end": (message(record(b"\x3f" * 260, 1, bytes(4))), Reason.TOO_LARGE),
    "aliases in a ring": (message(record(AT_QUESTION, 5, AT_QUESTION)), Reason.TOO_DEEP),
    "an alias longer than it says": (message(record(AT_QUESTION, 5, b"\4host\xc0\x10" + b"x")), Reason.WRONG_LENGTH),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_to_the_question_is_refused(name: str) -> None:
    raw, reason = BAD[name]
    with pytest.raises(Malformed) as refused:
        read(raw)
    assert refused.value.reason is reason


@given(st.integers(0, len(message(ADDRESS)) - 1))
def test_every_shorter_answer_is_refused(size: int) -> None:
    with pytest.raises(Malformed):
        read(message(ADDRESS)[:size])


@given(st.binary(max_size=400))
def test_foreign_bytes_are_read_or_refused(raw: bytes) -> None:
    for body in (raw, message(more=raw), message(raw)):
        try:
            read(body)
        except EnarxError as error:
            assert isinstance(error, Malformed)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64, ".".join(["label"] * 60), "\ud800"])
def test_a_name_that_dns_cannot_hold_is_misused(name: str) -> None:
    with pytest.raises(Misused):
        dns.query(name, dns.Kind.A, 0)
