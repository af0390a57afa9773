"""EAR: an appraisal as others read it, claiming no more than was checked; and its signature."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.appraisal import ar4si, ear, jws, none, snp
from enarx.appraisal.appraise import appraise
from enarx.appraisal.policy import Loaded, load
from enarx.appraisal.result import Member
from enarx.appraisal.tied import Expected
from enarx.appraisal.workload import Package
from enarx.codec.digest import sha256
from enarx.errors import EnarxError, Faulty, Malformed, Misused, Reason, Unauthentic
from enarx.evidence import binding, endorsement
from enarx.evidence.anchor import SIMULATED, Anchors
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Check, Verdict
from enarx.evidence.claims import Claims
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.snp_tcb import Product

from .test_field_vectors import claims_of
from .test_whole import claims_of as whole_claims
from .test_whole import expected_of, said

GOLDEN = Path(__file__).resolve().parents[2] / "vectors" / "ear"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
VERIFIER = ear.Verifier("enarx-test", "https://example.invalid", "host")


def snp_claims(field: str = "genuine", **changes: Any) -> Claims:
    return msgspec.structs.replace(claims_of("snp", field, WHEN), **changes)


def policy(field: str = "genuine") -> Loaded:
    return load((GOLDEN.parent / "policy" / "snp" / field / "policy.toml").read_bytes(), field)


def result(members: tuple[Claims, ...], loaded: Loaded | None = None, **more: Any) -> dict[str, Any]:
    appraisal = appraise(members, loaded or policy(), more.pop("expected", Expected()), when=WHEN)
    return ear.claims(appraisal, verifier=VERIFIER, issued=WHEN, **more)


def test_the_result_is_that_of_the_golden_file() -> None:
    expected = expected_of(said("genuine"))
    loaded = load((GOLDEN.parent / "policy" / "whole" / "genuine" / "policy.toml").read_bytes(), "whole")
    appraisal = appraise((whole_claims(said("genuine")),), loaded, expected, when=WHEN)
    found = ear.claims(
        appraisal, expected, verifier=VERIFIER, issued=WHEN, expires=WHEN + timedelta(hours=1), input_host=True
    )
    assert json.loads((GOLDEN / "simulated-snp.json").read_text()) == json.loads(json.dumps(found))


def test_names_are_those_of_draft_04() -> None:
    found = result((snp_claims(),))
    assert found["eat_profile"] == "tag:ietf.org,2026:rats/ear#04"
    assert found.keys() >= {"iat", "ear_verifier_id", "submods"}
    (submodule,) = found["submods"].values()
    assert submodule.keys() >= {
        "ear_status", "ear_trustworthiness_vector", "ear_appraisal_policy_ids", "ear_attester_claims",
        "ear_verifier_claims",
    }  # fmt: skip
    assert submodule["ear_appraisal_policy_ids"] == [f"vector#sha256:{policy().digest.hex()}"]
    assert ear.require_profile(found) == found


def test_a_simulated_tee_is_never_affirmed() -> None:
    (submodule,) = result((snp_claims(),))["submods"].values()
    assert (submodule["enarx_tee"], submodule["enarx_anchors"]) == ("simulated", "simulated")
    trust = submodule["ear_trustworthiness_vector"]
    assert (trust["hardware"], trust["runtime-opaque"], submodule["ear_status"]) == (97, 96, "contraindicated")


def test_a_keep_without_a_tee_is_contraindicated() -> None:
    loaded = Loaded(msgspec.structs.replace(policy().policy, none=none.NonePolicy(insecure="accepted")), bytes(32))
    claims = authenticate(
        Evidence(Kind.NONE, bytes(64)), endorsement.NOTHING, anchors=Anchors(SIMULATED, {}), when=WHEN
    )
    (submodule,) = result((claims,), loaded)["submods"].values()
    assert (submodule["enarx_tee"], submodule["ear_status"]) == ("none", "contraindicated")


GENUINE = {"anchors": "production"}  # as if AMD had signed it: what the vector says then


def test_everything_asked_and_answered_is_affirmed() -> None:
    (submodule,) = result((snp_claims(**GENUINE),))["submods"].values()
    assert submodule["ear_trustworthiness_vector"] == {
        "instance-identity": 2, "configuration": 2, "executables": 3, "hardware": 32, "runtime-opaque": 2
    }  # fmt: skip
    assert submodule["ear_status"] == "warning"  # a Milan: its VCEK seeds can be extracted
    assert "enarx_tee" not in submodule


@pytest.mark.parametrize("reason", [Reason.TCB_STATUS, Reason.ADVISORY])
def test_a_platform_that_its_vendor_calls_behind_is_a_warning(reason: Reason) -> None:
    genoa = msgspec.structs.replace(snp_claims().endorsed, product=Product.GENOA)
    claims = snp_claims(**GENUINE, endorsed=genoa)
    member = appraise((claims,), policy(), Expected(), when=WHEN).members[0]
    passed = Member(claims, tuple(c for c in member.checks if not c.says_no()))
    whole = appraise((claims,), policy(), Expected(), when=WHEN)
    assert ar4si.vector(passed, whole, input_host=False)["hardware"] == 2
    noted = msgspec.structs.replace(claims, checks=(*claims.checks, Check("TCB", Verdict.NOTED, reason, "OutOfDate")))
    assert ar4si.vector(Member(noted, passed.checks), whole, input_host=False)["hardware"] == 32


def test_what_is_left_open_makes_no_claim() -> None:
    loaded = Loaded(msgspec.structs.replace(policy().policy, snp=snp.unchecked()), bytes(32))
    (submodule,) = result((snp_claims(**GENUINE),), loaded)["submods"].values()
    assert submodule["ear_trustworthiness_vector"] == {"executables": 33, "hardware": 32, "runtime-opaque": 2}


@pytest.mark.parametrize(
    ("field", "category", "value"),
    [("hash", "executables", 96), ("debug", "configuration", 96), ("debug", "runtime-opaque", 96),
     ("minimum_tcb", "hardware", 96), ("platforms", "instance-identity", 97), ("vmpl", "configuration", 96)],
)  # fmt: skip
def test_a_refusal_is_contraindicated_in_its_category(field: str, category: str, value: int) -> None:
    (submodule,) = result((snp_claims(field, **GENUINE),), policy(field))["submods"].values()
    assert submodule["ear_trustworthiness_vector"][category] == value
    assert submodule["ear_status"] == "contraindicated"


def test_a_refusal_of_the_whole_contraindicates_every_member() -> None:
    loaded = Loaded(msgspec.structs.replace(policy().policy, binding="enarx-binding-1"), bytes(32))
    wanted = binding.Binding(purpose=binding.Purpose.ISSUE, spki=bytes(48), nonce=bytes(32), launch=bytes(32))
    found = result((snp_claims(**GENUINE),), loaded, expected=Expected(binding=wanted))
    assert {s["ear_status"] for s in found["submods"].values()} == {"contraindicated"}
    assert "binding-mismatch" in {f.get("reason") for f in found["enarx_findings"]}


def test_several_members_of_one_kind_are_numbered() -> None:
    assert set(result((snp_claims(), snp_claims()))["submods"]) == {"snp-1", "snp-2"}


def test_what_the_result_is_about_is_named() -> None:
    expected = Expected(launch=b"\1" * 32, package=Package(digest=b"\2" * 32))
    appraisal = appraise((snp_claims(),), policy(), expected, when=WHEN, past=True)
    found = ear.claims(appraisal, expected, verifier=VERIFIER, issued=WHEN + timedelta(days=9), input_host=True)
    assert (found["enarx_launch"], found["enarx_package"]) == ("01" * 32, "02" * 32)
    assert (found["enarx_input"], found["enarx_time_source"]) == ("host", "host")
    assert found["enarx_as_of"] == "2026-01-01T00:00:00+00:00"
    assert found["iat"] == int((WHEN + timedelta(days=9)).timestamp())
    (submodule,) = found["submods"].values()
    assert submodule["enarx_measurement"] == "11" * 48
    assert submodule["ear_trustworthiness_vector"]["sourced-data"] == 32


# --- the signature


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_a_signed_result_comes_back(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    found = result((snp_claims(),))
    token = jws.sign(found, key)
    assert ear.require_profile(jws.verify(token, key.public_key())) == json.loads(json.dumps(found))


def _refused(reason: Reason, token: str, key: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises((Malformed, Unauthentic)) as caught:
        jws.verify(token, key.public_key())
    assert caught.value.reason is reason


def test_another_key_or_algorithm_is_refused() -> None:
    key, other, small = (ec.generate_private_key(c) for c in (ec.SECP384R1(), ec.SECP384R1(), ec.SECP256R1()))
    token = jws.sign({"a": 1}, key)
    _refused(Reason.SIGNATURE_INVALID, token, other)
    _refused(Reason.ALGORITHM, token, small)
    for header in ({"alg": "none", "typ": "eat+jwt"}, {"alg": "HS384", "typ": "eat+jwt"}):
        _refused(Reason.ALGORITHM, f"{_encoded(header)}.{token.partition('.')[2]}", key)
    for header in ({"alg": "ES384", "typ": "JWT"}, {"alg": "ES384", "typ": "eat+jwt", "crit": ["x"]}):
        _refused(Reason.UNKNOWN_VALUE, f"{_encoded(header)}.{token.partition('.')[2]}", key)
    with pytest.raises(Misused):
        jws.sign({}, ec.generate_private_key(ec.SECP521R1()))


def _encoded(header: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()


def test_every_character_of_a_token_counts() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    token = jws.sign({"a": "b"}, key)
    for at, character in enumerate(token):
        other = "A" if character != "A" else "B"
        with pytest.raises((Malformed, Unauthentic)):
            jws.verify(token[:at] + other + token[at + 1 :], key.public_key())
    for more in (token + "=", token + "A", token + ".", " " + token, token.replace(".", "..", 1)):
        with pytest.raises((Malformed, Unauthentic)):
            jws.verify(more, key.public_key())


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_no_text_breaks_the_verifier(text: str) -> None:
    key = ec.derive_private_key(7, ec.SECP256R1())
    try:
        jws.verify(text, key.public_key())
    except EnarxError as error:
        assert not isinstance(error, Faulty)
    else:
        pytest.fail("accepted")


@pytest.mark.parametrize("broken", [None, {}, {"eat_profile": "x"}, {"eat_profile": ear.PROFILE, "iat": 1}])
def test_other_claims_are_no_result(broken: Any) -> None:
    with pytest.raises(Malformed):
        ear.require_profile(broken)
    submods = {"submods": {"snp": {"ear_status": 2}}}
    with pytest.raises(Malformed):
        ear.require_profile({"eat_profile": ear.PROFILE, "iat": 1, **submods})


def test_the_policy_digest_is_of_the_file() -> None:
    text = (GOLDEN.parent / "policy" / "snp" / "genuine" / "policy.toml").read_bytes()
    assert policy().digest == sha256(text)
