# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec
import pytest

from enarx.errors import Malformed, Reason
from enarx.evidence import nvidia_opaque
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.kind import Kind
from enarx.evidence.nvidia_rim import Part, manifest_ids
from enarx.platform.simulated.nvidia import (
    DRIVER,
    VBIOS,
    SimulatedNvidia,
    default_blocks,
    opaque_data,
)
from tests.evidence.nvidia_world import GPU, NONCE, WHEN, judged


def test_agreeing_manifests_are_found_among_all_that_are_given() -> None:
    wrong = GPU.rim(DRIVER, {1: (bytes(48),)})
    other = GPU.rim("1.2.3", {1: (bytes(48),)})
    stranger = SimulatedNvidia.made(WHEN).rims()[0]
    given_ = msgspec.structs.replace(GPU.endorsements(WHEN), rims=(b"junk", wrong, other, stranger, *GPU.rims()))
    claims = judged(given_=given_)
    assert [m.reason for m in claims.matches] == [
        Reason.SYNTAX,
        Reason.MEASUREMENT_NOT_ACCEPTED,
        Reason.COLLATERAL_MISMATCH,
        Reason.UNKNOWN_ANCHOR,
        None,
        None,
    ]
    assert [claims.matches[1].mismatched, claims.ocsp] == [(2,), "good"]
    assert all(claims.agreeing(part) for part in Part)


def test_manifests_that_both_claim_a_block_settle_nothing() -> None:
    value = default_blocks(1)[0]
    rims = (GPU.rim(DRIVER, {0: (value,)}), GPU.rim(VBIOS, {0: (value,)}))
    given_ = msgspec.structs.replace(GPU.endorsements(WHEN), rims=rims)
    assert {m.reason for m in judged(given_=given_).matches} == {Reason.INCONSISTENT}


def test_a_manifest_for_more_blocks_than_there_are_disagrees() -> None:
    given_ = Endorsements(certificates=GPU.certificates, rims=(GPU.rim(DRIVER, {200: (bytes(48),)}),))
    assert judged(given_=given_).matches[0].mismatched == (201,)


@pytest.mark.parametrize(("status", "agrees"), [(b"\x55", True), (b"\xaa", False)])
def test_the_decoders_measurement_counts_only_where_it_is_enabled(status: bytes, agrees: bool) -> None:
    given_ = Endorsements(certificates=GPU.certificates, rims=(GPU.rim(DRIVER, {35: (bytes(48),)}),))
    match = judged(GPU.report(NONCE, f11=status), given_).matches[0]
    assert (match.reason is None) is agrees


def test_a_manifest_for_another_product_is_not_for_this_one() -> None:
    given_ = Endorsements(certificates=GPU.certificates, rims=(GPU.rim(DRIVER, {0: (bytes(48),)}, product="GB100"),))
    assert judged(given_=given_).matches[0].part is None


def test_names_of_manifests_follow_the_report() -> None:
    opaque = nvidia_opaque.parse(opaque_data(Kind.NVIDIA_GPU))
    assert manifest_ids("GH100", opaque) == (
        "NV_GPU_DRIVER_GH100_550.90.07",
        "NV_GPU_VBIOS_1010_0200_882_96009F0001",
    )
    assert manifest_ids("GB100", opaque)[0] == "NV_GPU_CC_DRIVER_GB100_550.90.07"
    with pytest.raises(Malformed):
        manifest_ids("GH100", nvidia_opaque.parse(opaque_data(Kind.NVIDIA_GPU, f17=None)))
