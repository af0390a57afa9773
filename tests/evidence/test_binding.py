"""The binding: golden maps, and what a map that someone sent may not be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Misused, Reason
from enarx.evidence.binding import LABEL, Binding, Purpose, parse

GOLDEN = sorted((Path(__file__).resolve().parents[2] / "vectors" / "binding").glob("*.json"))
SIZES = {"spki": 48, "nonce": 32, "launch": 32, "exporter": 32}
EXTRA = {Purpose.CHANNEL: "exporter", Purpose.RELEASE: "hpke", Purpose.GUEST: "data"}


def of(table: dict[str, Any]) -> Binding:
    fields = {name: bytes.fromhex(value) for name, value in table.items() if name not in ("v", "purpose")}
    return Binding(purpose=Purpose(table["purpose"]), **fields)


def test_there_is_a_golden_map_of_every_purpose() -> None:
    assert {json.loads(path.read_text())["map"]["purpose"] for path in GOLDEN} == set(Purpose)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_maps(path: Path) -> None:
    vector = json.loads(path.read_text())
    binding = of(vector["map"])
    assert binding.encoded().hex() == vector["encoded"]
    assert binding.sha256().hex() == vector["sha256"]
    assert binding.sha512().hex() == vector["sha512"]
    assert parse(bytes.fromhex(vector["encoded"])) == binding


@st.composite
def bindings(draw: st.DrawFn) -> Binding:
    purpose = draw(st.sampled_from(Purpose))
    fields = {name: draw(st.binary(min_size=size, max_size=size)) for name, size in SIZES.items() if name != "exporter"}
    if extra := EXTRA.get(purpose):
        size = SIZES.get(extra)
        fields[extra] = draw(st.binary(min_size=size or 0, max_size=size or 300))
    return Binding(purpose=purpose, **fields)


@settings(max_examples=150, deadline=None)
@given(bindings())
def test_what_is_written_is_read(binding: Binding) -> None:
    assert parse(binding.encoded()) == binding


@settings(max_examples=150, deadline=None)
@given(bindings(), bindings())
def test_two_maps_have_one_digest_only_if_they_are_one(a: Binding, b: Binding) -> None:
    assert (a == b) == (a.sha512() == b.sha512()) == (a.sha256() == b.sha256())


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("extra", ["exporter", "hpke", "data"])
def test_each_extra_belongs_to_one_purpose(purpose: Purpose, extra: str) -> None:
    fields = {"spki": bytes(48), "nonce": bytes(32), "launch": bytes(32)}
    if EXTRA.get(purpose) == extra:
        Binding(purpose=purpose, **fields, **{extra: bytes(32)})
        with pytest.raises(Misused):
            Binding(purpose=purpose, **fields)
    else:
        with pytest.raises(Misused):
            Binding(purpose=purpose, **fields, **{extra: bytes(32)})


@pytest.mark.parametrize("field", ["spki", "nonce", "launch"])
def test_sizes_are_fixed(field: str) -> None:
    fields = {"spki": bytes(48), "nonce": bytes(32), "launch": bytes(32)}
    for size in (0, len(fields[field]) - 1, len(fields[field]) + 1):
        with pytest.raises(Misused) as caught:
            Binding(purpose=Purpose.ISSUE, **{**fields, field: bytes(size)})
        assert caught.value.reason is Reason.WRONG_LENGTH


TABLE = {"v": 1, "purpose": "issue", "spki": bytes(48), "nonce": bytes(32), "launch": bytes(32)}


def sent(table: Any, *, canonical: bool = True) -> bytes:
    return LABEL + b"\0" + cbor2.dumps(table, canonical=canonical)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (sent({**TABLE, "v": 2}), Reason.UNKNOWN_VERSION),
        (sent([]), Reason.UNKNOWN_VERSION),
        (sent({**TABLE, "purpose": "other"}), Reason.UNKNOWN_VALUE),
        (sent({**TABLE, "more": b""}), Reason.UNKNOWN_KEY),
        (sent({k: v for k, v in TABLE.items() if k != "nonce"}), Reason.MISSING),
        (sent({**TABLE, "nonce": "x" * 32}), Reason.WRONG_TYPE),
        (sent({**TABLE, "nonce": bytes(31)}), Reason.WRONG_LENGTH),
        (sent({**TABLE, "exporter": bytes(32)}), Reason.INCONSISTENT),
        (sent({**TABLE, "purpose": "channel"}), Reason.INCONSISTENT),
        (b"enarx-binding-2\0" + cbor2.dumps(TABLE, canonical=True), Reason.UNKNOWN_VERSION),
        (sent(dict(reversed(TABLE.items())), canonical=False), Reason.NOT_CANONICAL),
    ],
)
def test_other_maps_are_refused(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as caught:
        parse(raw)
    assert caught.value.reason is reason


def test_a_key_twice_is_refused() -> None:
    raw = of(json.loads(GOLDEN[0].read_text())["map"]).encoded()
    head, body = raw[: len(LABEL) + 1], bytearray(raw[len(LABEL) + 1 :])
    body[0] += 1
    with pytest.raises(Malformed):
        parse(head + bytes(body) + b"\x61v\x01")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_parser(noise: bytes) -> None:
    for raw in (noise, LABEL + b"\0" + noise):
        try:
            parse(raw)
        except EnarxError as error:
            assert isinstance(error, Malformed)


def test_a_purpose_changes_the_digest() -> None:
    issue = Binding(purpose=Purpose.ISSUE, spki=bytes(48), nonce=bytes(32), launch=bytes(32))
    assert issue.sha512() != msgspec.structs.replace(issue, purpose=Purpose.HANDOVER).sha512()
