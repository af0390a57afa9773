# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec import cbor
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import cca
from enarx.evidence.anchor import Anchors
from enarx.evidence.cca_key import realm_key
from enarx.evidence.check import Verdict
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated.cca import SimulatedCca
from enarx.platform.simulated.cose import sign1

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
CHALLENGE = bytes(range(64))
DEVICE = SimulatedCca.made()


def judged(raw: bytes, anchors: Anchors | None = None) -> cca.CcaClaims:
    return cca.judge(Evidence(Kind.CCA, raw), NOTHING, anchors=anchors or DEVICE.anchors(), when=WHEN)


def refused(raw: bytes, anchors: Anchors | None = None) -> tuple[type[EnarxError], Reason]:
    with pytest.raises(EnarxError) as caught:
        judged(raw, anchors)
    return type(caught.value), caught.value.reason


@pytest.mark.parametrize("legacy", [False, True])
def test_a_token_says_what_was_signed(legacy: bool) -> None:
    claims = judged(DEVICE.token(CHALLENGE, legacy=legacy, personalization=b"\x07" * 64))
    assert (claims.bound, claims.launch, claims.anchors) == (CHALLENGE, b"\x07" * 64, "simulated")
    facts = claims.facts()
    assert facts["challenge"] == CHALLENGE.hex()
    assert facts["lifecycle"] == 0x3000
    assert facts["platform_profile"] == (
        "http://arm.com/CCA-SSD/1.0.0" if legacy else "tag:arm.com,2024:cca_platform#2.0.0"
    )
    assert ["RSE_BL2", "RMM"] == [one["type"] for one in facts["software_components"]]


def test_a_platform_token_may_state_no_profile() -> None:
    claims = judged(DEVICE.token(CHALLENGE, legacy=True, platform_profile=None, configuration=None, platform_hash=None))
    assert claims.facts()["platform_profile"] is None


@pytest.mark.parametrize(
    ("lifecycle", "debug"), [(0x3000, False), (0x30FF, False), (0x4001, True), (0x5000, True), (0x6000, False)]
)
def test_the_two_debug_states_are_debug(lifecycle: int, debug: bool) -> None:
    assert judged(DEVICE.token(CHALLENGE, lifecycle=lifecycle)).debug() is debug


def test_both_outer_tags_may_hold_bare_tokens_and_records() -> None:
    inner = cbor2.loads(DEVICE.token(CHALLENGE)).value
    bare = {label: record[1] for label, record in inner.items()}
    for tag in (399, 907):
        for tokens in (bare, dict(inner)):
            judged(cbor.encode(cbor2.CBORTag(tag, tokens)))


def test_the_realm_must_be_bound_to_the_platform_also_without_a_platform_key() -> None:
    raw = DEVICE.token(CHALLENGE, platform_challenge=b"\x01" * 32)
    assert refused(raw) == (Unauthentic, Reason.KEY_NOT_BOUND)
    assert refused(raw, Anchors("none", {})) == (Unauthentic, Reason.KEY_NOT_BOUND)


def test_the_binding_uses_the_algorithm_that_the_realm_names() -> None:
    key = DEVICE.cose_key()
    judged(DEVICE.token(CHALLENGE, key_hash="sha-512", platform_challenge=hashlib.sha512(key).digest()))
    raw = DEVICE.token(CHALLENGE, key_hash="sha-512", platform_challenge=hashlib.sha256(key).digest())
    assert refused(raw) == (Unauthentic, Reason.KEY_NOT_BOUND)


def test_a_realm_of_another_key_is_not_believed() -> None:
    stranger = SimulatedCca(DEVICE.platform_key, ec.generate_private_key(ec.SECP384R1()))
    ours, theirs = (cbor2.loads(one.token(CHALLENGE)).value for one in (DEVICE, stranger))
    mixed = {44234: list(ours[44234]), 44241: list(theirs[44241])}
    assert refused(cbor.encode(cbor2.CBORTag(907, mixed))) == (Unauthentic, Reason.KEY_NOT_BOUND)


def test_a_realm_key_that_did_not_sign_is_refused() -> None:
    stranger = SimulatedCca.made()
    raw = DEVICE.token(CHALLENGE, realm_public_key=stranger.cose_key())
    assert refused(raw) == (Unauthentic, Reason.SIGNATURE_INVALID)


def test_without_a_named_key_it_is_undetermined_and_with_another_unauthentic() -> None:
    raw = DEVICE.token(CHALLENGE)
    assert refused(raw, Anchors("none", {})) == (Undetermined, Reason.KEY_MISSING)
    assert refused(raw, SimulatedCca.made().anchors()) == (Unauthentic, Reason.SIGNATURE_INVALID)


def test_one_of_several_named_keys_is_enough() -> None:
    others = tuple(SimulatedCca.made().spki for _ in range(3))
    claims = judged(DEVICE.token(CHALLENGE), Anchors("several", {}, (*others, DEVICE.spki)))
    assert claims.key == DEVICE.spki


def test_a_p256_platform_with_a_p384_realm_is_the_legacy_form() -> None:
    mixed = SimulatedCca(ec.generate_private_key(ec.SECP256R1()), DEVICE.realm_key)
    judged(mixed.token(CHALLENGE, legacy=True), mixed.anchors())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_realm_keys_are_points_of_three_curves(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve).public_key()
    raw = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert realm_key(raw) == key


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x04" + bytes(96),
        b"\x04" + b"\xff" * 96,
        b"\x02" + bytes(48),
        cbor.encode({}),
        cbor.encode({1: 1, -1: 2}),
        cbor.encode({1: 2, -1: 9}),
        cbor.encode({1: 2, -1: [2], -2: b"", -3: b""}),
        cbor.encode({1: 2, -1: 2, -2: bytes(47), -3: bytes(48)}),
        cbor.encode({1: 2, -1: 2, -2: bytes(48), -3: True}),
        cbor.encode([1]),
    ],
)
def test_what_is_no_key_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        realm_key(raw)


NAMES = ["platform_challenge", "implementation_id", "instance_id", "configuration", "lifecycle", "components",
         "platform_hash", "client_id", "challenge", "personalization", "initial_measurement", "extensible",
         "realm_hash", "realm_public_key", "key_hash", "mec_policy"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_of_the_profile_is_mandatory(name: str) -> None:
    assert refused(DEVICE.token(CHALLENGE, **{name: None})) == (Malformed, Reason.MISSING)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [1.5, "text", b"short", [], {}, True, -1])
def test_a_claim_of_another_type_or_size_is_never_accepted(name: str, value: Any) -> None:
    if (name, value) == ("configuration", b"short"):
        return
    assert refused(DEVICE.token(CHALLENGE, **{name: value}))[0] is Malformed


@pytest.mark.parametrize(
    "changes",
    [
        {"platform_profile": "tag:arm.com,2099:cca_platform#9"},
        {"realm_profile": "PSA_IOT_PROFILE_1"},
        {"instance_id": b"\x02" + bytes(32)},
        {"lifecycle": 0x3100},
        {"lifecycle": 0x7000},
        {"realm_hash": "sha-1"},
        {"extensible": [bytes(32)] * 3},
        {"extensible": [bytes(32)] * 5},
        {"extensible": [bytes(32)] * 3 + [bytes(31)]},
        {"components": [{2: bytes(32)}]},
        {"components": [{5: bytes(32)}]},
        {"components": [[1]]},
        {"components": [{2: bytes(32), 5: bytes(32), 1: b"BL"}]},
        {"client_id": 2},
        {"mec_policy": "public"},
        {"mec_policy": 2},
    ],
    ids=str,
)
def test_values_outside_the_profile_are_malformed(changes: dict[str, Any]) -> None:
    assert refused(DEVICE.token(CHALLENGE, **changes))[0] is Malformed


def _outer(**changes: Any) -> bytes:
    tokens = {label: list(record) for label, record in cbor2.loads(DEVICE.token(CHALLENGE)).value.items()}
    return cbor.encode(cbor2.CBORTag(changes.pop("tag", 907), {**tokens, **changes.pop("table", {})}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        cbor.encode({44234: b"", 44241: b""}),
        cbor.encode(cbor2.CBORTag(907, [])),
        cbor.encode(cbor2.CBORTag(907, {44234: b"x"})),
        _outer(tag=906),
        _outer(table={1: b""}),
        _outer(table={44241: [264, b""]}),
        _outer(table={44241: [263]}),
        _outer(table={44241: b""}),
        _outer() + b"\0",
    ],
)
def test_what_is_no_cca_token_is_malformed(raw: bytes) -> None:
    assert refused(raw)[0] is Malformed


@pytest.mark.parametrize("how", ["untagged", "mac0"])
def test_only_tagged_sign1_is_read(how: str) -> None:
    payload = cbor.encode(DEVICE.realm_claims(CHALLENGE))
    token = sign1(payload, DEVICE.realm_key, tagged=False)
    if how == "mac0":
        token = cbor.encode(cbor2.CBORTag(17, cbor2.loads(token)))
    assert refused(_outer(table={44241: [263, token]}))[0] is Malformed


def test_every_check_names_where_its_rule_stands() -> None:
    checks = judged(DEVICE.token(CHALLENGE)).checks
    assert all(check.source for check in checks)
    assert {Verdict.PASSED, Verdict.NOTED} == {check.verdict for check in checks}


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.binary(max_size=70) | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(), inner, max_size=4)))  # fmt: skip
def test_any_value_under_any_claim_is_refused_in_our_families(value: Any) -> None:
    for name in ("components", "extensible", "realm_public_key", "platform_challenge"):
        try:
            judged(DEVICE.token(CHALLENGE, **{name: value}))
        except EnarxError:
            continue
        raise AssertionError(name)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_our_families(raw: bytes) -> None:
    with pytest.raises(EnarxError):
        judged(raw)
