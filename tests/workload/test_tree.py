# SPDX-License-Identifier: Apache-2.0
"""Directories and entries: upstream's JSON byte for byte, and nothing else believed."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.codec.digest import SIZES
from enarx.errors import Malformed, Reason, Unauthentic
from enarx.workload import tree

# upstream drawbridge, digest tests: the four digests of "foo"
FOO = {
    "sha-224": "CAj2TmDViXn8tnbJbsk4Jw3qQkRa7vzTpOb42w==",
    "sha-256": "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=",
    "sha-384": "mMEf/f3VQGdrGhN8saIrKnA1DJpEFx1rEYDGvly7LuP3nVMsih3Z7y6OCOdSo7q7",
    "sha-512": "9/u6bgY2+JDlb7vzKD5STG+jIErimDgtYkdB0NxmODJuKCxBvl5CVNiCB3LFUYosWowMf37aGVlKfrU5RT4e1w==",
}
NAMES = st.text("abcXYZ019-_.:", min_size=1, max_size=12).filter(tree.valid_name)
ENTRIES = st.builds(
    tree.Entry,
    digest=st.sets(st.sampled_from(sorted(SIZES)), min_size=1).flatmap(
        lambda names: st.fixed_dictionaries({n: st.binary(min_size=SIZES[n], max_size=SIZES[n]) for n in names})
    ),
    length=st.integers(0, (1 << 63) - 1),
    type=st.sampled_from([tree.WASM, tree.TOML, tree.OCTETS, tree.DIRECTORY, "text/plain; charset=utf-8"]),
    custom=st.dictionaries(st.sampled_from(["author", "é", "x"]), st.integers() | st.text(max_size=5), max_size=2),
)


def test_an_entry_carries_the_four_digests_of_upstreams_vector() -> None:
    said = json.loads(tree.weigh(b"foo", "text/plain").encoded())
    assert said == {"digest": FOO, "length": 3, "type": "text/plain"}


def test_a_directory_has_the_length_of_upstreams_one() -> None:
    """Digests have one length, so the 707 bytes of upstream's wasm_example depend on its sizes only."""
    some = {name: bytes(size) for name, size in SIZES.items()}
    raw = tree.encode_directory(
        {"main.wasm": tree.Entry(some, 53_966, tree.WASM), "Enarx.toml": tree.Entry(some, 79, tree.TOML)}
    )
    assert len(raw) == 707
    assert raw.startswith(b'{"Enarx.toml":{"digest":{"sha-224":"AAAA')
    assert raw.endswith(b'"length":53966,"type":"application/wasm"}}')


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("main.wasm", tree.WASM),
        ("Enarx.toml", tree.TOML),
        ("test-file", tree.OCTETS),
        ("test-file.json", tree.OCTETS),
        ("tEst-file..__.foo.42.", tree.OCTETS),
        (".wasm", tree.OCTETS),
        ("main.WASM", tree.OCTETS),
    ],
)
def test_the_extension_decides_the_type(name: str, expected: str) -> None:
    assert tree.content_type(name) == expected


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "é", "a\n", "a\0", "x" * 256, "~"])
def test_names_beyond_upstreams_alphabet_are_refused(name: str) -> None:
    assert not tree.valid_name(name)
    with pytest.raises(Malformed, match="invalid file name"):
        tree.parse_directory(tree.encode_directory({name: tree.weigh(b"", tree.OCTETS)}))


@given(st.dictionaries(NAMES, ENTRIES, max_size=4))
def test_a_directory_is_read_back_as_it_was_written(entries: dict[str, tree.Entry]) -> None:
    raw = tree.encode_directory(entries)
    assert tree.parse_directory(raw) == entries
    assert raw == json.dumps(json.loads(raw), separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_directory_or_malformed(raw: bytes) -> None:
    try:
        tree.parse_directory(raw)
    except Malformed:
        return
    assert isinstance(json.loads(raw), dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda value: (
        st.lists(value) | st.dictionaries(st.sampled_from(["digest", "length", "type", "sha-256", "a"]), value)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_json_is_a_directory_or_malformed(value: object) -> None:
    try:
        entries = tree.parse_directory(json.dumps(value).encode())
    except Malformed:
        return
    assert tree.parse_directory(tree.encode_directory(entries)) == entries


def test_a_lone_surrogate_in_a_custom_field_survives() -> None:
    raw = _entry().replace(b"{", b'{"x":"\\ud800",', 1)
    assert b'"x":"\\ud800"' in tree.parse_entry(raw).encoded()


def _entry(**changed: object) -> bytes:
    table = {"digest": {"sha-256": FOO["sha-256"]}, "length": 3, "type": "text/plain", **changed}
    return json.dumps({name: value for name, value in table.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"digest": {}}, Reason.MISSING),
        ({"digest": None}, Reason.MISSING),
        ({"length": None}, Reason.MISSING),
        ({"type": None}, Reason.MISSING),
        ({"digest": {"sha-1": "AAAA"}}, Reason.ALGORITHM),
        ({"digest": {"sha-256": "AAAA"}}, Reason.WRONG_LENGTH),
        ({"digest": {"sha-256": FOO["sha-256"] + "\n"}}, Reason.SYNTAX),
        ({"digest": {"sha-256": FOO["sha-256"].replace("564=", "565=")}}, Reason.NOT_CANONICAL),
        ({"digest": {"sha-256": 3}}, Reason.WRONG_TYPE),
        ({"length": True}, Reason.WRONG_TYPE),
        ({"length": -1}, Reason.WRONG_TYPE),
        ({"length": 3.0}, Reason.WRONG_TYPE),
        ({"type": "text"}, Reason.MEDIA_TYPE),
        ({"type": "text/plain\r\nx: y"}, Reason.MEDIA_TYPE),
    ],
)
def test_an_entry_with_one_field_wrong_is_malformed(changed: dict[str, object], reason: Reason) -> None:
    tree.parse_entry(_entry())
    with pytest.raises(Malformed) as refused:
        tree.parse_entry(_entry(**changed))
    assert refused.value.reason == reason


def test_white_space_and_order_are_free_because_the_received_bytes_are_what_is_named() -> None:
    assert tree.parse_entry(_entry()).digest == {"sha-256": base64.b64decode(FOO["sha-256"])}
    assert tree.parse_entry(
        b'{"type" : "text/plain",\n"length":3, "digest":{"sha-256":"%s"}, "author":"x"}' % FOO["sha-256"].encode()
    ).custom == {"author": "x"}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [(b"fo", Reason.TRUNCATED), (b"fooo", Reason.TOO_LARGE), (b"fop", Reason.DIGEST_MISMATCH)],
)
def test_bytes_that_an_entry_does_not_name_are_unauthentic(raw: bytes, reason: Reason) -> None:
    entry = tree.weigh(b"foo", "text/plain")
    entry.require(b"foo", "node x")
    with pytest.raises(Unauthentic) as refused:
        entry.require(raw, "node x")
    assert refused.value.reason == reason
    assert "node x" in refused.value.subject


@pytest.mark.parametrize("algorithm", sorted(SIZES))
def test_every_digest_is_checked_not_only_the_first(algorithm: str) -> None:
    entry = tree.weigh(b"foo", "text/plain")
    other = tree.Entry({**entry.digest, algorithm: bytes(SIZES[algorithm])}, 3, entry.type)
    with pytest.raises(Unauthentic) as refused:
        other.require(b"foo", "node x")
    assert refused.value.subject == f"node x: {algorithm}"


def test_sha_224_alone_does_not_name_a_node() -> None:
    with pytest.raises(Unauthentic) as refused:
        tree.Entry({"sha-224": tree.weigh(b"foo", "a/b").digest["sha-224"]}, 3, "a/b").require(b"foo", "node x")
    assert refused.value.reason == Reason.ALGORITHM
