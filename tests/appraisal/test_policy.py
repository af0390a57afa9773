"""Policy files: read whole and strictly; nothing is open that does not say so."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.appraisal.expectation import Section
from enarx.appraisal.explain import OPENED, TITLES, explained
from enarx.appraisal.policy import Policy, load, schema
from enarx.appraisal.requirement import PATTERN, satisfies
from enarx.appraisal.toml import toml
from enarx.errors import Misused, Reason

ROOT = Path(__file__).resolve().parents[2] / "vectors" / "policy"
GENUINE = (ROOT / "snp" / "genuine" / "policy.toml").read_text()
TABLE = tomllib.loads(GENUINE)
STRICT_DEFAULTS = {"composition", "log"}


def text(table: dict[str, Any]) -> bytes:
    lines = [f"{key} = {toml(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for section, fields in table.items():
        if isinstance(fields, dict):
            lines += [f"[{section}]", *(f"{key} = {toml(value)}" for key, value in fields.items())]
    return "\n".join(lines).encode()


def refused(table: dict[str, Any]) -> Misused:
    with pytest.raises(Misused) as caught:
        load(text(table), "file")
    return caught.value


def test_a_policy_is_read() -> None:
    loaded = load(GENUINE.encode(), "file")
    assert loaded.policy.snp is not None
    assert loaded.policy.snp.hash == {"11" * 48}
    assert loaded.policy.sgx is None


@pytest.mark.parametrize("key", sorted(set(TABLE) - {"snp"} - STRICT_DEFAULTS))
def test_every_key_of_the_whole_is_required(key: str) -> None:
    error = refused({name: value for name, value in TABLE.items() if name != key})
    assert error.reason is Reason.MISSING
    assert key in error.subject


@pytest.mark.parametrize("key", sorted(TABLE["snp"]))
def test_every_key_of_a_section_is_required(key: str) -> None:
    section = {name: value for name, value in TABLE["snp"].items() if name != key}
    error = refused({**TABLE, "snp": section})
    assert error.reason is Reason.MISSING
    assert (key in error.subject, "unchecked" in error.hint) == (True, True)


def test_defaults_are_the_strict_value() -> None:
    policy = load(GENUINE.encode(), "file").policy
    assert {name: getattr(policy, name) for name in STRICT_DEFAULTS} == dict.fromkeys(STRICT_DEFAULTS, "required")


def test_no_section_has_a_default() -> None:
    for section in Section.__subclasses__() + [s for one in Section.__subclasses__() for s in one.__subclasses__()]:
        assert section.__struct_defaults__ == (), section


@pytest.mark.parametrize("where", ["", "snp"])
def test_unknown_keys_are_refused(where: str) -> None:
    table = {**TABLE, "more": 1} if not where else {**TABLE, "snp": {**TABLE["snp"], "more": 1}}
    assert refused(table).reason is Reason.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hash", "UNCHECKED"), ("hash", ["11"]), ("hash", ["11" * 32]), ("hash", "11" * 48), ("hash", ["zz" * 48]),
        ("debug", "allowed"), ("debug", False), ("vmpl", [4]), ("vmpl", [-1]), ("vmpl", 0), ("generations", ["Milan"]),
        ("platforms", ["11" * 32]), ("minimum_tcb", {"milan": {"bootloader": 1}}), ("minimum_tcb", {"rome": {}}),
        ("minimum_tcb", {"milan": {"bootloader": 256, "tee": 0, "snp": 0, "microcode": 0}}),
        ("abi", "1.x"), ("abi", ""), ("abi", ">=1.2.3.4"), ("policy_flags", {"required": ["Debug"], "refused": []}),
        ("policy_flags", {"required": []}), ("hash_blacklist", "unchecked"), ("minimum_guest_svn", "7"),
    ],
)  # fmt: skip
def test_values_are_of_their_kind(key: str, value: Any) -> None:
    error = refused({**TABLE, "snp": {**TABLE["snp"], key: value}})
    assert error.reason in (Reason.WRONG_TYPE, Reason.UNKNOWN_KEY, Reason.MISSING)
    assert "snp" in error.subject


def test_hexadecimal_is_one_spelling() -> None:
    upper = {**TABLE, "snp": {**TABLE["snp"], "hash": ["AB" * 48]}}
    found = load(text(upper), "file").policy.snp
    assert found is not None
    assert found.hash == {"ab" * 48}


def test_turin_chips_may_be_named_by_8_bytes() -> None:
    found = load(text({**TABLE, "snp": {**TABLE["snp"], "platforms": ["AB" * 8, "cd" * 64]}}), "file").policy.snp
    assert found is not None
    assert found.platforms == {"ab" * 8, "cd" * 64}


@pytest.mark.parametrize("expires", ["tomorrow", 7, "2026-02-01", "2026-02-01T00:00:00"])
def test_an_end_is_an_instant_with_its_zone(expires: Any) -> None:
    assert refused({**TABLE, "expires": expires}).reason is Reason.WRONG_TYPE


def test_an_end_without_a_zone_is_refused() -> None:
    raw = GENUINE.replace('expires = "unchecked"', "expires = 2026-02-01T00:00:00")
    with pytest.raises(Misused):
        load(raw.encode(), "file")


@pytest.mark.parametrize("raw", [b"\xff", b"a = ", b"[", b"a = 1\na = 2", b"", b"x" * 100_000])
def test_other_bytes_are_no_policy(raw: bytes) -> None:
    with pytest.raises(Misused):
        load(raw, "file")


@pytest.mark.parametrize(
    "changes",
    [
        {"binding": "legacy-spki"},
        {"binding": "legacy-spki", "freshness": "unchecked", "workload": ["11" * 32]},
        {"binding": "legacy-spki", "freshness": "nonce", "workload": "unchecked"},
        {"binding": "unchecked", "freshness": "nonce"},
        {"binding": "unchecked", "freshness": "unchecked", "workload": ["11" * 32]},
    ],
)
def test_what_nothing_can_check_is_refused(changes: dict[str, Any]) -> None:
    strict = {**TABLE, "binding": "enarx-binding-1", "freshness": "nonce", "workload": ["11" * 32]}
    assert refused({**strict, **changes}).reason is Reason.INCONSISTENT


def test_the_bare_form_is_allowed_where_nothing_else_is_asked() -> None:
    load(text({**TABLE, "binding": "legacy-spki", "freshness": "unchecked", "workload": "unchecked"}), "file")
    load(text({**TABLE, "launch_field": "required", "workload": ["11" * 32]}), "file")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(TABLE["snp"])), st.recursive(
    st.none().map(lambda _: 0) | st.booleans() | st.integers(-2, 300) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["milan", "required", "x"]), inner),
))  # fmt: skip
def test_no_value_breaks_the_loader(key: str, value: Any) -> None:
    try:
        load(text({**TABLE, "snp": {**TABLE["snp"], key: value}}), "file")
    except Misused as error:
        assert error.subject.startswith("file:")


# --- version requirements


@pytest.mark.parametrize(
    ("requirement", "accepted", "refused"),
    [
        (">=1.51", ["1.51.0", "1.51.3", "2.0.0"], ["1.50.9", "0.99.0"]),
        (">1.51", ["1.52.0", "2.0.0"], ["1.51.0", "1.51.9"]),
        (">1.51.2", ["1.51.3"], ["1.51.2"]),
        ("=1.51", ["1.51.0", "1.51.9"], ["1.52.0", "1.50.0"]),
        ("<1.51", ["1.50.99"], ["1.51.0"]),
        ("<=1.51", ["1.51.99"], ["1.52.0"]),
        ("1.51", ["1.51.0", "1.99.0"], ["2.0.0", "1.50.0"]),
        ("^0.2", ["0.2.0", "0.2.9"], ["0.3.0", "0.1.9"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4", "0.0.2"]),
        ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
        ("^0", ["0.0.0", "0.9.9"], ["1.0.0"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.3.0", "1.2.2"]),
        ("~1", ["1.0.0", "1.9.9"], ["2.0.0"]),
        (">=1.51, <1.53", ["1.51.0", "1.52.9"], ["1.53.0", "1.50.0"]),
        (">254.0", ["255.0.0", "254.1.0"], ["254.0.0", "1.55.0"]),
    ],
)
def test_requirements_mean_what_cargo_says(requirement: str, accepted: list[str], refused: list[str]) -> None:
    def version(said: str) -> tuple[int, int, int]:
        major, minor, patch = map(int, said.split("."))
        return major, minor, patch

    assert [said for said in accepted if not satisfies(version(said), requirement)] == []
    assert [said for said in refused if satisfies(version(said), requirement)] == []


# --- the schema, and words


def test_the_schema_names_every_key() -> None:
    made = schema()
    policy = made["$defs"]["Policy"]
    assert set(policy["properties"]) == {name.replace("nvidia_", "nvidia-") for name in Policy.__struct_fields__}
    assert policy["additionalProperties"] is False
    assert set(made["$defs"]["SnpPolicy"]["required"]) == set(TABLE["snp"])
    assert PATTERN in json.dumps(made).replace("\\\\", "\\")


def test_every_key_has_words() -> None:
    assert set(Policy.__struct_fields__) - {"name", "security_version"} - set(TITLES) <= set(OPENED)
    found = explained(load(GENUINE.encode(), "file").policy)
    assert [line.place for line in found.sections["AMD SEV-SNP"]] == [f"snp.{key}" for key in TABLE["snp"]]
    assert [line.place for line in found.sections["AMD SEV-SNP"] if not line.asked] == []


def test_what_is_open_is_warned_of() -> None:
    opened = {**TABLE, "snp": {**TABLE["snp"], "hash": "unchecked", "signer": "unchecked", "debug": "unchecked",
                               "id_key_digest": "unchecked", "minimum_tcb": "unchecked"}}  # fmt: skip
    warnings = "\n".join(explained(load(text(opened), "file").policy).warnings)
    for words in ("the host may look inside", "any program may run", "snp.minimum_tcb", "freshness"):
        assert words in warnings


def test_a_policy_without_sections_accepts_nothing_and_says_so() -> None:
    bare = {key: value for key, value in TABLE.items() if key != "snp"}
    assert "no section: this policy accepts nothing" in explained(load(text(bare), "file").policy).warnings
    accepting = {**bare, "none": {"insecure": "accepted"}}
    assert any("no hardware" in one for one in explained(load(text(accepting), "file").policy).warnings)
