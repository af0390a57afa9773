"""The launch document: one encoding, and nothing outside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.codec import cbor
from enarx.errors import EnarxError, Malformed, Misused
from enarx.workload.launch import Launch, parse
from enarx.workload.spiffe import SpiffeId
from enarx.workload.spiffe import parse as parse_id

SMALL = Launch(package=b"p" * 32, tenant=b"key", deployment=b"d" * 16)
TEXT = st.text(max_size=10)


@given(
    st.lists(TEXT, max_size=3).map(tuple),
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.dictionaries(st.sampled_from(["memory", "files"]), st.integers(0, 2**50)),
)
def test_parsing_undoes_encoding(args: tuple[str, ...], env: dict[str, str], limits: dict[str, int]) -> None:
    launch = Launch(package=b"p" * 32, tenant=b"key", deployment=b"d" * 16, args=args, env=env, limits=limits)

    assert launch == parse(launch.encoded())


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse(raw)


@given(st.integers(0, 8 * len(SMALL.encoded()) - 1))
def test_a_changed_bit_changes_the_digest_or_is_refused(bit: int) -> None:
    raw = bytearray(SMALL.encoded())
    raw[bit // 8] ^= 1 << bit % 8

    try:
        changed = parse(bytes(raw))
    except EnarxError as error:
        assert isinstance(error, Malformed)
    else:
        assert SMALL.digest() != changed.digest()


@pytest.mark.parametrize(
    "change",
    [
        {"args": []},
        {"surprise": 1},
        {"args": [1]},
        {"limits": {"memory": True}},
        {"package": b"short"},
        {"steward": "u"},
    ],
)
def test_a_document_in_another_form_is_malformed(change: dict[str, object]) -> None:
    table = cbor.decode(SMALL.encoded(), "x") | change

    with pytest.raises(Malformed):
        parse(cbor.encode(table))


def test_a_missing_key_is_malformed() -> None:
    table = cbor.decode(SMALL.encoded(), "x")
    del table["tenant"]

    with pytest.raises(Malformed):
        parse(cbor.encode(table))


def test_a_name_is_read_back() -> None:
    named = SpiffeId("example.org", b"p" * 32, b"l" * 32)

    assert f"spiffe://example.org/keep/{'70' * 32}/{'6c' * 32}" == str(named)
    assert named == parse_id(str(named))


@pytest.mark.parametrize("uri", ["", "https://a", "spiffe://a/keep/aa/bb", f"spiffe://A/keep/{'7' * 64}/{'6' * 64}"])
def test_another_name_is_malformed(uri: str) -> None:
    with pytest.raises(Malformed):
        parse_id(uri)


def test_a_trust_domain_is_lower_case() -> None:
    with pytest.raises(Misused):
        SpiffeId("Example.org", b"p" * 32, b"l" * 32)
