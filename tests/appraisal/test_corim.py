"""CoRIM: reference values that somebody named signed, that expire, and that newer ones supersede."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.appraisal import corim, corim_writer, nitro, snp, tpm
from enarx.appraisal.appraise import appraise, section_checks
from enarx.appraisal.policy import load
from enarx.appraisal.reference import LISTS, ReferenceValues, Value, applied, current, joined
from enarx.appraisal.tied import Expected
from enarx.errors import EnarxError, Malformed, Misused, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.evidence.check import Trail
from enarx.evidence.cose import signed_bytes
from enarx.identity.request import spki_of
from tests.appraisal.test_field_vectors import claims_of

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP384R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
MEASUREMENT = b"\x11" * 48
GENUINE = Path(__file__).resolve().parents[2] / "vectors" / "policy" / "snp" / "genuine" / "policy.toml"


def references(*values: Value, version: int = 1, name: str = "keep-image", days: int = 30) -> ReferenceValues:
    return ReferenceValues(
        name=name, security_version=version, not_before=WHEN - timedelta(days=1),
        not_after=WHEN + timedelta(days=days), values=values or (Value("snp", "MEASUREMENT", "sha-384", MEASUREMENT),),
        signer=b"", digest=b"",
    )  # fmt: skip


def keys(*found: ec.EllipticCurvePrivateKey) -> dict[bytes, Any]:
    return {spki_of(key.public_key()): key.public_key() for key in found}


def believed(raw: bytes, *trusted: ec.EllipticCurvePrivateKey) -> ReferenceValues:
    return corim.authenticate(corim.parse(raw), keys(*(trusted or (KEY,))), Trail())


def signed(said: ReferenceValues, key: ec.EllipticCurvePrivateKey = KEY) -> bytes:
    return corim_writer.sign(said, key, signer="tests")


EVERY = (
    *tuple(
        Value(technology, element, "sha-384", bytes((at,)) * 48) for at, (technology, element) in enumerate(LISTS, 1)
    ),
    Value("tpm", 0, "sha-256", b"A" * 32),
    Value("nitro", 0, "sha-384", b"B" * 48),
)


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_what_is_written_is_read(key: ec.EllipticCurvePrivateKey) -> None:
    said = references(*EVERY, Value("snp", "MEASUREMENT", None, b"\x99" * 48))
    found = believed(signed(said, key), OTHER, KEY)
    assert set(found.values) == set(said.values)
    assert (found.name, found.security_version, found.not_after) == ("keep-image", 1, said.not_after)
    assert len(found.signer) == len(found.digest) == 32


def test_only_a_trusted_key_signs() -> None:
    raw = signed(references())
    for trusted, reason in (
        ((OTHER,), Reason.ALGORITHM),
        ((ec.generate_private_key(ec.SECP384R1()),), Reason.SIGNATURE_INVALID),
    ):
        with pytest.raises(Unauthentic) as caught:
            believed(raw, *trusted)
        assert caught.value.reason is reason
    with pytest.raises(Unauthentic) as caught:
        corim.authenticate(corim.parse(raw), {}, Trail())
    assert caught.value.reason is Reason.UNKNOWN_ANCHOR
    with pytest.raises(Misused):
        signed(references(), ec.generate_private_key(ec.SECP521R1()))


def test_every_byte_counts() -> None:
    raw = signed(references())
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        with pytest.raises((Malformed, Unauthentic)):
            believed(bytes(changed))
    for size in range(len(raw)):
        with pytest.raises(Malformed):
            believed(raw[:size])


def test_reference_values_expire() -> None:
    found = believed(signed(references()))
    assert current((found,), when=WHEN) == (found,)
    with pytest.raises(Unacceptable) as caught:
        current((found,), when=found.not_after + timedelta(seconds=1))
    assert caught.value.reason is Reason.REFERENCE_VALUES_EXPIRED
    with pytest.raises(Undetermined):
        current((found,), when=found.not_before - timedelta(seconds=1))


def test_a_newer_version_supersedes_whoever_shows_the_older() -> None:
    old, new = (believed(signed(references(version=version))) for version in (1, 2))
    for order in ((old, new), (new, old)):
        assert current(order, when=WHEN) == (new,)
    assert current((old, believed(signed(references(version=2, name="another")))), when=WHEN)[0] == old
    with pytest.raises(Unacceptable) as caught:
        current((old,), when=WHEN, minimum=2)
    assert caught.value.reason is Reason.SECURITY_VERSION_TOO_LOW


def test_files_are_believed_together() -> None:
    files = [signed(references(version=version)) for version in (1, 3, 2)]
    (found,) = corim.believed(map(corim.parse, files), keys(KEY), when=WHEN, trail=Trail())
    assert found.security_version == 3
    with pytest.raises(Unauthentic):
        corim.believed(map(corim.parse, [*files, signed(references(), OTHER)]), keys(KEY), when=WHEN, trail=Trail())


def test_an_expired_newer_version_does_not_bring_the_older_back() -> None:
    old = believed(signed(references(version=1, days=30)))
    new = believed(signed(references(version=2, days=10)))
    with pytest.raises(Unacceptable):
        current((old, new), when=WHEN + timedelta(days=20))


def test_two_manifests_of_one_version_contradict_each_other() -> None:
    one, other = believed(signed(references())), believed(signed(references(days=31)))
    with pytest.raises(Unauthentic):
        current((one, other), when=WHEN)


def test_other_signers_do_not_supersede() -> None:
    ours = believed(signed(references(version=1)))
    theirs = believed(signed(references(version=9), OTHER), OTHER)
    assert set(current((ours, theirs), when=WHEN)) == {ours, theirs}


# --- in a policy


def policy(**changes: Any) -> Any:
    found = load(GENUINE.read_bytes(), "genuine").policy
    return msgspec.structs.replace(found, snp=msgspec.structs.replace(found.snp, **changes))


def test_values_count_as_those_of_the_policy() -> None:
    claims = claims_of("snp", "genuine", WHEN)
    empty = policy(hash=frozenset())
    refusals = [c.reason for c in section_checks(claims, empty, when=WHEN) if c.says_no()]
    assert refusals == [Reason.MEASUREMENT_NOT_ACCEPTED]
    extended = applied(empty, (believed(signed(references())),))
    assert [c for c in section_checks(claims, extended, when=WHEN) if c.says_no()] == []


def test_results_name_the_reference_values() -> None:
    loaded = load(GENUINE.read_bytes(), "genuine")
    with_values = joined(loaded, (believed(signed(references(version=4))),))
    appraisal = appraise((claims_of("snp", "genuine", WHEN),), with_values, Expected(), when=WHEN)
    (note,) = (c for c in appraisal.checks if c.name == "reference values")
    assert str(note.fact).startswith("keep-image version 4 sha256:")
    assert appraisal.policy_digest == loaded.digest


def test_what_is_open_stays_open_and_what_is_missing_stays_missing() -> None:
    found = believed(signed(references(*EVERY)))
    opened = applied(policy(hash="unchecked"), (found,))
    assert opened.snp.hash == "unchecked"
    assert (opened.sgx, opened.tdx, opened.tpm, opened.nitro) == (None, None, None, None)


def test_a_denied_value_stays_denied() -> None:
    claims = claims_of("snp", "genuine", WHEN)
    denied = applied(policy(hash=frozenset(), hash_blacklist={MEASUREMENT.hex()}), (believed(signed(references())),))
    reasons = [c.reason for c in section_checks(claims, denied, when=WHEN) if c.says_no()]
    assert reasons == [Reason.MEASUREMENT_DENIED]


def test_registers_are_listed_by_number_and_bank() -> None:
    found = believed(signed(references(*EVERY)))
    base = msgspec.structs.replace(
        policy(),
        tpm=msgspec.structs.replace(tpm.unchecked(), pcrs={"sha256": {"0": frozenset({"ab" * 32})}}),
        nitro=msgspec.structs.replace(nitro.unchecked(), pcrs={}),
    )
    extended = applied(base, (found,))
    assert extended.tpm.pcrs == {"sha256": {"0": {"ab" * 32, "41" * 32}}}
    assert extended.nitro.pcrs == {"0": {"42" * 48}}


def test_many_values_are_listed_fast_enough_to_test() -> None:
    many = tuple(Value("snp", "MEASUREMENT", "sha-384", n.to_bytes(48, "big")) for n in range(20_000))
    extended = applied(policy(), (believed(signed(references(*many))),))
    assert len(extended.snp.hash) == 20_001


def test_every_field_that_lists_values_exists() -> None:
    sections = {"snp": snp.SnpPolicy}
    assert {LISTS[key] for key in LISTS if key[0] == "snp"} <= set(sections["snp"].__struct_fields__)
    table = tomllib.loads(GENUINE.read_text())["snp"]
    assert all(isinstance(table[field], list) for (technology, _), field in LISTS.items() if technology == "snp")


# --- what is not read is refused


def made(payload: Any, *, protected: dict[int, Any] | None = None) -> bytes:
    header = cbor2.dumps(protected or {1: -35, 3: "application/rim+cbor", 8: cbor2.dumps({0: {0: "x"}})})
    body = cbor2.dumps(payload)
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(KEY.sign(signed_bytes(header, body), ec.ECDSA(hashes.SHA384())))
    return cbor2.dumps(cbor2.CBORTag(18, [header, {}, body, r.to_bytes(48, "big") + s.to_bytes(48, "big")]))


DIGEST = [7, MEASUREMENT]
CLASS = {0: {1: "AMD", 2: "SEV-SNP"}}
VALID = {0: cbor2.CBORTag(1, 1), 1: cbor2.CBORTag(1, 1 << 31)}


def manifest(environment: Any = CLASS, measurement: Any = None, validity: Any = VALID, **changes: Any) -> Any:
    one = measurement if measurement is not None else {0: "MEASUREMENT", 1: {2: [DIGEST]}}
    comid = {1: {0: "n", 1: 1}, 4: {0: [[environment, [one]]]}, **changes.get("comid", {})}
    tag = cbor2.CBORTag(506, cbor2.dumps(comid))
    return cbor2.CBORTag(501, {0: "id", 1: [tag], 4: validity, **changes.get("corim", {})})


def test_the_plain_manifest_is_read() -> None:
    (value,) = believed(made(manifest())).values
    assert value == Value("snp", "MEASUREMENT", "sha-384", MEASUREMENT)


@pytest.mark.parametrize(
    "payload",
    [
        manifest(environment={0: {1: "AMD"}}),
        manifest(environment={0: {1: "AMD", 2: "Rome"}}),
        manifest(environment={**CLASS, 1: cbor2.CBORTag(550, bytes(33))}),
        manifest(measurement={0: "OTHER", 1: {2: [DIGEST]}}),
        manifest(measurement={0: 1, 1: {2: [DIGEST]}}),
        manifest(measurement={1: {2: [DIGEST]}}),
        manifest(measurement={0: "MEASUREMENT", 1: {}}),
        manifest(measurement={0: "MEASUREMENT", 1: {2: []}}),
        manifest(measurement={0: "MEASUREMENT", 1: {2: [[7, bytes(32)]]}}),
        manifest(measurement={0: "MEASUREMENT", 1: {2: [[True, bytes(32)]]}}),
        manifest(measurement={0: "MEASUREMENT", 1: {2: [[99, MEASUREMENT]]}}),
        manifest(measurement={0: "MEASUREMENT", 1: {2: [DIGEST], 3: {3: True}}}),
        manifest(measurement={0: "MEASUREMENT", 1: {4: cbor2.CBORTag(560, b"x"), 5: b"\xff"}}),
        manifest(measurement={0: "MEASUREMENT", 1: {4: cbor2.CBORTag(563, b"x")}}),
        manifest(environment={0: {1: "TCG", 2: "TPM 2.0"}}, measurement={0: 0, 1: {4: cbor2.CBORTag(560, b"x")}}),
        manifest(environment={0: {1: "TCG", 2: "TPM 2.0"}}, measurement={0: 32, 1: {2: [[1, bytes(32)]]}}),
        manifest(validity={0: cbor2.CBORTag(1, 1)}),
        manifest(validity={1: 1 << 31}),
        manifest(validity={1: cbor2.CBORTag(1, -1)}),
        manifest(validity={1: cbor2.CBORTag(1, 1 << 62)}),
        manifest(comid={4: {1: []}}),
        manifest(comid={1: {1: 1}}),
        manifest(comid={1: {0: 1, 1: 1}}),
        manifest(comid={3: []}),
        manifest(corim={2: []}),
        manifest(corim={1: []}),
        manifest(corim={1: [cbor2.CBORTag(505, b"")]}),
        cbor2.CBORTag(502, {}),
        {},
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused(payload: Any) -> None:
    with pytest.raises(Malformed):
        corim.parse(made(payload))


@pytest.mark.parametrize(
    "protected",
    [
        {1: -35, 3: "application/json", 8: b"x"},
        {1: -35, 8: b"x"},
        {1: -35, 3: "application/rim+cbor"},
    ],
)
def test_headers_of_other_documents_are_refused(protected: dict[int, Any]) -> None:
    with pytest.raises(Malformed):
        corim.parse(made(manifest(), protected=protected))


def test_an_unsigned_manifest_is_refused() -> None:
    with pytest.raises(Malformed):
        corim.parse(cbor2.dumps(manifest()))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_bytes_break_the_reader(noise: bytes, at: int) -> None:
    genuine = made(manifest())
    for raw in (noise, genuine[:at] + noise + genuine[at + len(noise) :]):
        try:
            corim.parse(raw)
        except EnarxError as error:
            assert isinstance(error, Malformed)
