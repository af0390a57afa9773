"""Register values in every form that tools write them in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import Malformed, Reason
from enarx.evidence.tpm_attest import Selection
from enarx.evidence.tpm_pcrs import bank_named, parse

ALL = (Selection("sha-256", tuple(range(24))),)
VALUES = {index: bytes([index]) * 32 for index in range(24)}
LINES = [value.hex() for value in VALUES.values()]

FORMS = {
    "json by bank": json.dumps({"sha256": {str(i): v.hex() for i, v in VALUES.items()}}),
    "json by bank, list": json.dumps({"SHA256": LINES}),
    "json in an object": json.dumps({"pcrs": {"sha-256": LINES}}),
    "json list": json.dumps(LINES),
    "json of octets": json.dumps([list(v) for v in VALUES.values()]),
    "json by register": json.dumps({f"PCR{i}": f"0x{v.hex().upper()}" for i, v in VALUES.items()}),
    "lines": "\n".join(LINES) + "\n",
    "numbered lines": "".join(f"{i}: {line}\n" for i, line in enumerate(LINES)),
    "tpm2_pcrread": "sha256:\n" + "".join(f"  {i:<2}: 0x{line.upper()}\n" for i, line in enumerate(LINES)),
    "tpm2_quote": "pcrs:\n  sha256:\n" + "".join(f"    {i:<2}: 0x{line.upper()}\n" for i, line in enumerate(LINES)),
    "json of rows": json.dumps([{"index": i, "value": line} for i, line in enumerate(LINES)]),
    "json of rows, backwards": json.dumps([{"PCR": i, "Digest": v.hex()} for i, v in reversed(VALUES.items())]),
    "named lines": "".join(f"PCR{i}={line}\n" for i, line in enumerate(LINES)),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_says_the_same(form: str) -> None:
    assert parse(form.encode(), ALL) == {"sha-256": VALUES}


def test_bare_bytes_are_what_the_quote_selects_or_the_whole_bank() -> None:
    some = (Selection("sha-256", (1, 3)), Selection("sha-384", (0,)))
    assert parse(b"\1" * 32 + b"\3" * 32 + b"\4" * 48, some) == {
        "sha-256": {1: b"\1" * 32, 3: b"\3" * 32},
        "sha-384": {0: b"\4" * 48},
    }
    assert parse(b"".join(VALUES.values()), (Selection("sha-256", (0, 7)),)) == {"sha-256": VALUES}


def test_several_banks_stand_side_by_side() -> None:
    text = json.dumps({"sha1": ["11" * 20], "sha256": ["22" * 32]})
    assert parse(text.encode(), ALL) == {"sha-1": {0: b"\x11" * 20}, "sha-256": {0: b"\x22" * 32}}


@pytest.mark.parametrize("name", ["sha256", "SHA-256", "TPM_ALG_SHA256", "sha_256", "TPM2_ALG_SHA256"])
def test_a_bank_has_many_names(name: str) -> None:
    assert bank_named(name) == "sha-256"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.WRONG_LENGTH),
        (b"\x80" * 31, Reason.WRONG_LENGTH),
        (b"hello", Reason.SYNTAX),
        (b"11" * 31, Reason.WRONG_LENGTH),
        (b"0: " + b"11" * 32 + b"\n0: " + b"11" * 32, Reason.DUPLICATE),
        (b"99: " + b"11" * 32, Reason.UNKNOWN_VALUE),
        (b"[1]", Reason.WRONG_TYPE),
        (b"7", Reason.SYNTAX),
        (b'{"sha256": 7}', Reason.WRONG_TYPE),
        (b'{"sha256": {"x": "11"}}', Reason.UNKNOWN_VALUE),
        (b'{"sha256": {"0": "11"}}', Reason.WRONG_LENGTH),
        (b'{"sha256": {"0": [256]}}', Reason.WRONG_TYPE),
        (b'{"sha256": {"0": [1]}}', Reason.WRONG_LENGTH),
        (b"[" * 100, Reason.SYNTAX),
        (b" " * (256 << 10) + b" ", Reason.TOO_LARGE),
    ],
    ids=lambda value: str(value) if isinstance(value, Reason) else "values",
)
def test_anything_else_is_malformed(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Malformed) as refused:
        parse(raw, ALL)
    assert refused.value.reason is reason


def test_values_of_no_bank_are_malformed_when_the_quote_has_several() -> None:
    with pytest.raises(Malformed) as refused:
        parse(("11" * 32).encode(), (Selection("sha-256", (0,)), Selection("sha-384", (0,))))
    assert refused.value.reason is Reason.MISSING


@given(st.binary(max_size=100) | st.text('0123456789abcdef:x= \n{}[]"', max_size=100).map(str.encode))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_are_values_or_malformed(raw: bytes) -> None:
    try:
        parse(raw, ALL)
    except Malformed:
        return
