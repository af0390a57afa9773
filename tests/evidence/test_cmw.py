"""Wrappers: what was put in comes out, and nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Callable

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec import cbor
from enarx.codec.der import INTEGER, OCTET_STRING, UTF8_STRING, write
from enarx.errors import Malformed, Misused, Reason
from enarx.evidence import cmw
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind

SNP = Evidence(Kind.SNP, b"report", {"certificates": b"table"})
GPU = Evidence(Kind.NVIDIA_GPU, b"response", {"request": b"r", "certificates": b"c"})
TYPE = "application/vnd.enarx.snp+cbor"
VALUE = cbor.encode({"body": b"report"})

pieces = st.builds(
    Evidence, st.sampled_from(Kind), st.binary(max_size=60), st.dictionaries(st.text(max_size=8), st.binary(max_size=8))
)


@given(st.lists(pieces, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None, derandomize=True)
@pytest.mark.parametrize("encode", [cmw.encode, cmw.encode_json])
def test_what_was_wrapped_comes_out(encode: Callable[[tuple[Evidence, ...]], bytes], members: list[Evidence]) -> None:
    assert tuple(members) == cmw.decode(encode(tuple(members)))


@pytest.mark.parametrize("encode", [cmw.encode, cmw.encode_json])
def test_an_extension_carries_either_form(encode: Callable[[tuple[Evidence, ...]], bytes]) -> None:
    assert cmw.from_extension(cmw.extension_value(encode((SNP, GPU)))) == (SNP, GPU)


def test_one_member_is_a_record_and_several_are_a_typed_collection() -> None:
    one, two = cbor2.loads(cmw.encode((SNP,))), cbor2.loads(cmw.encode((SNP, GPU)))
    assert [TYPE, cbor.encode({"body": b"report", "parts": {"certificates": b"table"}}), 4] == one
    assert list(two) == [0, 1, cmw.COLLECTION_TYPE_KEY]


def test_a_psa_token_alone_travels_under_its_registered_type() -> None:
    token = Evidence(Kind.PSA, b"token")
    assert (
        cbor2.loads(cmw.encode((token,)))[0] == 'application/eat+cwt; eat_profile="tag:psacertified.org,2023:psa#tfm"'
    )


def test_nested_collections_are_flattened() -> None:
    assert (Evidence(Kind.SNP, b"report"),) * 2 == cmw.decode(
        cbor2.dumps({"a": {"b": [TYPE, VALUE]}, 7: [TYPE, VALUE, 4]})
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.SYNTAX),
        (cbor2.dumps(7), Reason.WRONG_TYPE),
        (cbor2.dumps([TYPE]), Reason.WRONG_LENGTH),
        (cbor2.dumps([TYPE, VALUE, 4, 4]), Reason.WRONG_LENGTH),
        (cbor2.dumps([TYPE, VALUE]) + b"\0", Reason.TRAILING_BYTES),
        (cbor2.dumps([TYPE, VALUE, 8]), Reason.UNKNOWN_VALUE),  # an attestation result
        (cbor2.dumps([TYPE, VALUE, 12]), Reason.UNKNOWN_VALUE),
        (cbor2.dumps([TYPE, VALUE, 4.0]), Reason.UNKNOWN_VALUE),
        (cbor2.dumps([TYPE, "text"]), Reason.WRONG_TYPE),
        (cbor2.dumps([10, VALUE]), Reason.UNKNOWN_KIND),
        (cbor2.dumps(["application/eat+cwt", VALUE]), Reason.UNKNOWN_KIND),
        (cbor2.dumps([TYPE, b"report"]), Reason.SYNTAX),
        (cbor2.dumps([TYPE, cbor.encode([b"report"])]), Reason.WRONG_TYPE),
        (cbor2.dumps([TYPE, cbor.encode({"parts": {}})]), Reason.WRONG_TYPE),
        (cbor2.dumps([TYPE, cbor.encode({"body": b"", "parts": {}})]), Reason.WRONG_TYPE),
        (cbor2.dumps([TYPE, cbor.encode({"body": b"", "parts": {"a": 1}})]), Reason.WRONG_TYPE),
        (cbor2.dumps([TYPE, cbor.encode({"body": b"", "more": b""})]), Reason.UNKNOWN_KEY),
        (cbor2.dumps([TYPE, cbor2.dumps({"parts": {"a": b""}, "body": b""})]), Reason.NOT_CANONICAL),
        (cbor2.dumps({"__cmwc_t": "x"}), Reason.UNKNOWN_VALUE),
        (cbor2.dumps({"__cmwc_t": "tag:a"}), Reason.WRONG_LENGTH),
        (cbor2.dumps({}), Reason.WRONG_LENGTH),
        (cbor2.dumps({b"a": [TYPE, VALUE]}), Reason.WRONG_TYPE),
        (cbor2.dumps({"a": {"a": {"a": {"a": [TYPE, VALUE]}}}}), Reason.TOO_DEEP),
        (cbor2.dumps({n: [TYPE, VALUE] for n in range(33)}), Reason.WRONG_LENGTH),
        (b"\xa2\x01\x82\x60\x40\x01\x82\x60\x40", Reason.SYNTAX),  # a label twice
        (b"\x9f\x60\x40\xff", Reason.SYNTAX),  # indefinite length
        (json.dumps([TYPE, "a!b"]).encode(), Reason.SYNTAX),
        (json.dumps([TYPE, "a+bc"]).encode(), Reason.NOT_CANONICAL),
        (json.dumps([TYPE, "YQ=="]).encode(), Reason.NOT_CANONICAL),
        (json.dumps([TYPE, "YR"]).encode(), Reason.NOT_CANONICAL),
        (json.dumps([TYPE, 7]).encode(), Reason.WRONG_TYPE),
        (json.dumps([TYPE, "oA", 3]).encode(), Reason.UNKNOWN_VALUE),
        (b'{"a":["x","oA"],"a":["x","oA"]}', Reason.DUPLICATE),
        (b"\x5a" + b"\0" * cmw.MAX_BYTES, Reason.TOO_LARGE),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "wrapper",
)
def test_anything_else_is_malformed(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as refused:
        cmw.decode(raw)
    assert reason is refused.value.reason


@pytest.mark.parametrize(
    "value",
    [
        write(INTEGER, b"\1"),
        write(UTF8_STRING, cmw.encode((SNP,))),
        write(OCTET_STRING, cmw.encode_json((SNP,))),
        write(OCTET_STRING, cmw.encode((SNP,))) + b"\0",
    ],
)
def test_an_extension_of_another_shape_is_malformed(value: bytes) -> None:
    with pytest.raises(Malformed):
        cmw.from_extension(value)


@pytest.mark.parametrize("members", [(), (SNP,) * 33])
def test_our_own_collections_keep_the_limits(members: tuple[Evidence, ...]) -> None:
    with pytest.raises(Misused):
        cmw.encode(members)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_are_a_wrapper_or_malformed(raw: bytes) -> None:
    for read in (cmw.decode, cmw.from_extension):
        try:
            read(raw)
        except Malformed:
            continue
