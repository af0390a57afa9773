"""The codecs: strict, and only ever `Malformed`."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.codec import cbor, der, json
from enarx.codec.cursor import Cursor
from enarx.codec.digest import Digest, unhex
from enarx.codec.x509 import Certificate, Crl, from_pem
from enarx.errors import Malformed, Reason

PLAIN = st.recursive(
    st.one_of(st.integers(-(2**63), 2**63), st.binary(max_size=8), st.text(max_size=8), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)


@given(PLAIN)
def test_cbor_is_read_back(value: object) -> None:
    assert value == cbor.decode_canonical(cbor.encode(value), "x")


@given(st.binary(max_size=300))
def test_hostile_cbor_is_malformed_or_a_value(raw: bytes) -> None:
    with contextlib.suppress(Malformed):
        cbor.decode(raw, "x")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("0100", Reason.TRAILING_BYTES),
        ("a201010102", Reason.SYNTAX),  # the same key twice
        ("81" * 20 + "01", Reason.SYNTAX),  # deep
        ("c074323031332d30332d32315432303a30343a30305a", Reason.SYNTAX),  # a date
        ("5b7fffffffffffffff00", Reason.SYNTAX),  # a length that is a lie
        ("d81c80", Reason.SYNTAX),  # a shared reference
    ],
)
def test_surprising_cbor_is_refused(raw: str, reason: Reason) -> None:
    with pytest.raises(Malformed) as caught:
        cbor.decode(bytes.fromhex(raw), "x")

    assert reason == caught.value.reason


def test_a_longer_form_of_a_number_is_not_canonical() -> None:
    with pytest.raises(Malformed) as caught:
        cbor.decode_canonical(bytes.fromhex("1801"), "x")

    assert caught.value.reason == Reason.NOT_CANONICAL


@given(st.binary(max_size=200))
def test_hostile_json_is_malformed_or_a_value(raw: bytes) -> None:
    with contextlib.suppress(Malformed):
        json.decode(raw, "x")


@pytest.mark.parametrize("raw", [b'{"a":1,"a":2}', b"NaN", b"[" * 40 + b"]" * 40, b"\xff", b"[" * 100_000])
def test_surprising_json_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        json.decode(raw, "x")


@given(st.integers(0, 2**200))
def test_integers_in_der_are_read_back(value: int) -> None:
    assert value == der.Der(der.write_integer(value), "x").integer("n")


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=6))
def test_object_identifiers_are_read_back(arcs: list[int]) -> None:
    text = ".".join(str(arc) for arc in (1, 3, *arcs))

    assert text == der.Der(der.write_oid(text), "x").oid("o")


@given(st.binary(max_size=60))
def test_hostile_der_is_malformed_or_an_element(raw: bytes) -> None:
    reader = der.Der(raw, "x")
    try:
        while reader.peek() is not None:
            reader.any("e")
    except Malformed:
        pass


@pytest.mark.parametrize("raw", ["0281020001", "02800000", "020200", "1f0100", "0285000000000100"])
def test_der_has_one_form(raw: str) -> None:
    with pytest.raises(Malformed):
        der.Der(bytes.fromhex(raw), "x").any("e")


@given(st.binary(max_size=300))
def test_hostile_certificates_are_malformed(raw: bytes) -> None:
    for load in (Certificate, Crl):
        with pytest.raises(Malformed):
            load(raw)
    with pytest.raises(Malformed):
        from_pem(raw, "x")


@given(st.binary(max_size=40), st.integers(0, 60))
def test_a_cursor_never_overruns(raw: bytes, size: int) -> None:
    cursor = Cursor(raw, "x")
    if size <= len(raw):
        assert raw[:size] == cursor.take(size, "f")
        assert raw[size:] == cursor.rest()
        cursor.done()
    else:
        with pytest.raises(Malformed):
            cursor.take(size, "f")


def test_a_cursor_ends_at_the_end() -> None:
    with pytest.raises(Malformed) as caught:
        Cursor(b"a", "x").done()

    assert caught.value.reason == Reason.TRAILING_BYTES


def test_a_digest_knows_its_size() -> None:
    assert str(Digest.of(b"foo")) == "sha256:" + "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    with pytest.raises(Malformed):
        Digest("sha-256", b"short")


@pytest.mark.parametrize("text", ["a", "zz", "aa bb", "aabb\n"])
def test_hexadecimal_is_exact(text: str) -> None:
    with pytest.raises(Malformed):
        unhex(text, "x")
