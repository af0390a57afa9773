# SPDX-License-Identifier: Apache-2.0
"""Reference values as AMD's and Intel's drafts write them."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from enarx.appraisal import corim_writer
from enarx.appraisal.corim_profile import SGX_ENCLAVE, SNP_GUEST, TDX_SEAM, Profile
from enarx.appraisal.reference import Value
from enarx.errors import Malformed, Misused, Reason
from tests.appraisal.test_corim import KEY, MEASUREMENT, VALID, believed, made, references

ENCLAVE, SIGNER, OTHER = b"\x21" * 32, b"\x22" * 32, b"\x23" * 32
AMD: Any = [cbor2.CBORTag(32, "http://amd.com/please-permalink-me")]
INTEL: Any = cbor2.CBORTag(111, bytes.fromhex("6086480186f84d011001"))


def manifest(profile: Any, *records: tuple[bytes, Any], more: dict[int, Any] | None = None) -> Any:
    triples = [[{0: {0: cbor2.CBORTag(111, class_id)}, **(more or {})}, [said]] for class_id, said in records]
    tag = cbor2.CBORTag(506, cbor2.dumps({1: {0: bytes(range(16))}, 4: {0: triples}}))
    return cbor2.CBORTag(501, {0: "id", 1: [tag], 3: profile, 4: VALID})


def read(payload: Any) -> tuple[Value, ...]:
    return believed(made(payload)).values


@pytest.mark.parametrize("profile", [AMD, AMD[0], "http://amd.com/please-permalink-me"])
@pytest.mark.parametrize("key", [{}, {0: 0}])
def test_amd_s_guest_measurement(profile: Any, key: dict[int, int]) -> None:
    found = read(manifest(profile, (SNP_GUEST, {**key, 1: {2: [["sha-384", MEASUREMENT]], 11: "OVMF"}})))
    assert found == (Value("snp", "MEASUREMENT", "sha-384", MEASUREMENT, "OVMF"),)


def test_a_uuid_names_a_manifest_and_a_version_that_is_not_stated_is_zero() -> None:
    found = believed(made(manifest(AMD, (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}}))))
    assert (found.name, found.security_version) == ("00010203-0405-0607-0809-0a0b0c0d0e0f", 0)


@pytest.mark.parametrize(
    "said",
    [
        [1, ENCLAVE],
        [[1, ENCLAVE]],
        [[8, bytes(64)], [1, ENCLAVE]],
        cbor2.CBORTag(60010, [6, [[1, ENCLAVE], [8, bytes(64)]]]),
        cbor2.CBORTag(60020, [6, [[1, ENCLAVE]]]),
    ],
)
def test_intel_s_forms_of_a_digest(said: Any) -> None:
    found = read(manifest(INTEL, (SGX_ENCLAVE, {1: {-83: said, -70: "Intel Corporation", -71: "x"}})))
    assert found == (Value("sgx", "MRENCLAVE", "sha-256", ENCLAVE),)


def test_intel_s_module_and_its_signer() -> None:
    found = read(manifest(INTEL, (TDX_SEAM, {1: {-83: [7, MEASUREMENT], -84: [7, bytes(48)]}})))
    assert {(value.technology, value.element) for value in found} == {("tdx", "MRSEAM"), ("tdx", "MRSIGNERSEAM")}


def test_enclaves_of_different_signers_are_not_mixed_up() -> None:
    def record(enclave: bytes, signer: bytes) -> tuple[bytes, Any]:
        return SGX_ENCLAVE, {1: {-83: [1, enclave], -84: [1, signer]}}

    assert len(read(manifest(INTEL, record(ENCLAVE, SIGNER), record(OTHER, SIGNER)))) == 4
    with pytest.raises(Malformed) as refused:
        read(manifest(INTEL, record(ENCLAVE, SIGNER), record(OTHER, OTHER)))
    assert refused.value.reason is Reason.INCONSISTENT


@pytest.mark.parametrize(
    "payload",
    [
        manifest("http://example.org/", (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}})),
        manifest([*AMD, *AMD], (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}})),
        manifest([], (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}})),
        manifest(7, (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}})),
        manifest(INTEL, (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}})),
        manifest(AMD, (SGX_ENCLAVE, {1: {2: [[7, MEASUREMENT]]}})),
        manifest(AMD, (SNP_GUEST, {0: 2, 1: {2: [[7, MEASUREMENT]]}})),
        manifest(AMD, (SNP_GUEST, {0: False, 1: {2: [[7, MEASUREMENT]]}})),
        manifest(AMD, (SNP_GUEST, {1: {2: [[7, MEASUREMENT]], 3: {-3: False}}})),
        manifest(AMD, (SNP_GUEST, {1: {2: [[7, MEASUREMENT]], 1: 2}})),
        manifest(AMD, (SNP_GUEST, {1: {2: [[1, ENCLAVE]]}})),
        manifest(AMD, (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}, 2: [1]})),
        manifest(AMD, (SNP_GUEST, {1: {2: [[7, MEASUREMENT]]}}), more={2: cbor2.CBORTag(560, bytes(64))}),
        manifest(INTEL, (SGX_ENCLAVE, {1: {-83: [1, ENCLAVE], -73: cbor2.CBORTag(60010, [2, 6])}})),
        manifest(INTEL, (SGX_ENCLAVE, {1: {-83: cbor2.CBORTag(60010, [7, [[1, ENCLAVE]]])}})),
        manifest(INTEL, (SGX_ENCLAVE, {1: {-83: cbor2.CBORTag(60011, [6, [[1, ENCLAVE]]])}})),
        manifest(INTEL, (SGX_ENCLAVE, {1: {-83: [8, bytes(64)]}})),
        manifest(INTEL, (SGX_ENCLAVE, {1: {-70: "Intel Corporation"}})),
    ],
)  # fmt: skip
def test_what_a_list_cannot_say_is_refused(payload: Any) -> None:
    with pytest.raises(Malformed):
        read(payload)


@pytest.mark.parametrize(
    ("profile", "value"),
    [
        (Profile.AMD, Value("snp", "MEASUREMENT", "sha-384", MEASUREMENT, "EPYC-v4, 2 processors")),
        (Profile.INTEL, Value("sgx", "MRENCLAVE", "sha-256", ENCLAVE)),
        (Profile.INTEL, Value("tdx", "MRSIGNERSEAM", "sha-384", MEASUREMENT)),
    ],
)
def test_what_is_written_in_a_profile_is_read(profile: Profile, value: Value) -> None:
    raw = corim_writer.sign(references(value), KEY, signer="tests", profile=profile)
    assert believed(raw).values == (value,)


def test_a_value_without_a_form_in_the_profile_is_named() -> None:
    for profile in Profile:
        with pytest.raises(Misused, match="tpm 4"):
            corim_writer.sign(references(Value("tpm", 4, "sha-256", bytes(32))), KEY, signer="x", profile=profile)
