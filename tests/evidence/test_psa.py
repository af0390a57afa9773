# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec import cbor
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import psa
from enarx.evidence.anchor import Anchors
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.psa_claimset import is_debug, is_secured, lifecycle_state
from enarx.platform.simulated.cose import sign1
from enarx.platform.simulated.psa import FIRST_PROFILE, PROFILE, SimulatedPsa

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
NONCE = bytes(range(64))
DEVICE = SimulatedPsa.made()


def judged(raw: bytes, anchors: Anchors | None = None) -> psa.PsaClaims:
    return psa.judge(Evidence(Kind.PSA, raw), NOTHING, anchors=anchors or DEVICE.anchors(), when=WHEN)


def refused(raw: bytes, anchors: Anchors | None = None) -> tuple[type[EnarxError], Reason]:
    with pytest.raises(EnarxError) as caught:
        judged(raw, anchors)
    return type(caught.value), caught.value.reason


@pytest.mark.parametrize(("first", "profile"), [(False, PROFILE), (True, FIRST_PROFILE)])
def test_both_sets_of_labels_say_the_same(first: bool, profile: str) -> None:
    claims = judged(DEVICE.token(NONCE, first=first))
    facts = {**claims.facts(), "profile": None}
    assert (claims.bound, claims.profile) == (NONCE, profile)
    assert facts == {**judged(DEVICE.token(NONCE)).facts(), "profile": None}


@pytest.mark.parametrize("profile", sorted(psa.PROFILES))
def test_the_profiles_of_the_second_labels_are_known(profile: str) -> None:
    assert judged(DEVICE.token(NONCE, profile=profile)).profile == profile


def test_an_unknown_profile_is_refused_but_the_first_one_is_free_text() -> None:
    assert refused(DEVICE.token(NONCE, profile="http://example.com"))[0] is Malformed
    claims = judged(DEVICE.token(NONCE, first=True, profile="http://example.com"))
    assert Reason.UNKNOWN_VALUE in {check.reason for check in claims.checks}
    assert judged(DEVICE.token(NONCE, first=True, profile=None)).profile is None


def test_the_first_profile_may_say_that_nothing_was_measured() -> None:
    table = {**cbor2.loads(cbor2.loads(DEVICE.token(NONCE, first=True, components=None)).value[2]), -75007: 1}
    assert judged(sign1(cbor.encode(table), DEVICE.key)).components == ()
    assert refused(sign1(cbor.encode({**table, -75006: []}), DEVICE.key))[0] is Malformed
    assert refused(sign1(cbor.encode({**table, -75007: 0}), DEVICE.key))[0] is Malformed


def test_an_algorithm_left_out_is_the_keys_own_and_a_finding() -> None:
    payload = cbor.encode(DEVICE.claims(NONCE))
    raw = _unstated(payload)
    assert Reason.ALGORITHM in {check.reason for check in judged(raw).checks}
    assert refused(raw, SimulatedPsa.made().anchors()) == (Unauthentic, Reason.SIGNATURE_INVALID)


def _unstated(payload: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    from enarx.evidence.cose import signed_bytes

    r, s = decode_dss_signature(DEVICE.key.sign(signed_bytes(b"", payload), ec.ECDSA(hashes.SHA256())))
    return cbor.encode(cbor2.CBORTag(18, [b"", {}, payload, r.to_bytes(32, "big") + s.to_bytes(32, "big")]))


@pytest.mark.parametrize("algorithm", [5, -35, -37, -65535, None, "ES256"])
def test_another_algorithm_than_the_keys_is_refused(algorithm: object) -> None:
    raw = DEVICE.token(NONCE, headers={"protected": {1: algorithm}})
    assert refused(raw) == (Unauthentic, Reason.SIGNATURE_INVALID)


def test_an_algorithm_in_the_unprotected_header_is_not_looked_at() -> None:
    raw = DEVICE.token(NONCE, headers={"protected": {}, "unprotected": {1: -7}})
    assert refused(raw) == (Unauthentic, Reason.SIGNATURE_INVALID)


def test_a_mac_is_no_signature() -> None:
    parts = cbor2.loads(DEVICE.token(NONCE)).value
    assert refused(cbor.encode(cbor2.CBORTag(17, list(parts)))) == (Malformed, Reason.UNKNOWN_KIND)


def test_a_cwt_tag_may_stand_outside() -> None:
    judged(cbor.encode(cbor2.CBORTag(61, cbor2.loads(DEVICE.token(NONCE)))))


def test_without_a_named_key_it_is_undetermined() -> None:
    assert refused(DEVICE.token(NONCE), Anchors("none", {})) == (Undetermined, Reason.KEY_MISSING)


NAMES = ["nonce", "client_id", "lifecycle", "implementation_id", "components", "instance_id"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("first", [False, True])
def test_every_claim_of_the_profile_is_mandatory(name: str, first: bool) -> None:
    raw = DEVICE.token(NONCE, first=first, **{name: None})
    assert refused(raw)[0] is Malformed


@pytest.mark.parametrize(
    "changes",
    [
        {"lifecycle": 0x0100},
        {"lifecycle": -1},
        {"lifecycle": True},
        {"client_id": 1 << 31},
        {"implementation_id": bytes(31)},
        {"instance_id": b"\x03" + bytes(32)},
        {"boot_seed": bytes(33)},
        {"certification_reference": "1234567890123"},
        {"verification_service": ""},
        {"components": []},
        {"components": [{}]},
        {"components": {}},
        {"components": [{2: bytes(32), 5: bytes(31)}]},
    ],
    ids=str,
)
def test_values_outside_the_profile_are_malformed(changes: dict[str, Any]) -> None:
    assert refused(DEVICE.token(NONCE, **changes))[0] is Malformed


@pytest.mark.parametrize("size", [0, 31, 33, 63, 65])
def test_a_nonce_has_one_of_three_sizes(size: int) -> None:
    assert refused(DEVICE.token(bytes(size))) == (Malformed, Reason.WRONG_LENGTH)


@pytest.mark.parametrize("size", [32, 48, 64])
def test_each_of_the_three_is_read(size: int) -> None:
    assert judged(DEVICE.token(bytes(size))).bound == bytes(size)


def test_several_nonces_are_refused() -> None:
    assert refused(DEVICE.token(NONCE, nonce=[NONCE, NONCE])) == (Malformed, Reason.WRONG_TYPE)


def test_a_duplicate_claim_is_refused() -> None:
    payload = cbor.encode(DEVICE.claims(NONCE))
    twice = bytes([payload[0] + 1]) + payload[1:] + b"\x0a" + cbor.encode(bytes(32))
    assert refused(sign1(twice, DEVICE.key)) == (Malformed, Reason.SYNTAX)


def test_parts_and_other_kinds_are_refused() -> None:
    for evidence in (Evidence(Kind.PSA, b"", {"more": b""}), Evidence(Kind.CCA, b"")):
        with pytest.raises(Malformed):
            psa.judge(evidence, NOTHING, anchors=DEVICE.anchors(), when=WHEN)


def test_lifecycles_are_ranges_of_256() -> None:
    assert [lifecycle_state(x) for x in (0x0, 0xFF, 0x100, 0x2000, 0x30FF, 0x6000, 0x7000)] == [
        "unknown", "unknown", None, "rot-provisioning", "secured", "decommissioned", None,
    ]  # fmt: skip
    assert [x for x in range(0x7000) if is_secured(x)] == list(range(0x3000, 0x3100))
    assert [x for x in range(0x7000) if is_debug(x)] == [*range(0x4000, 0x4100), *range(0x5000, 0x5100)]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_payload_is_refused_in_our_families(payload: bytes) -> None:
    with pytest.raises(EnarxError):
        judged(sign1(payload, DEVICE.key))
