# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import nvidia
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nvidia_identity import device_of
from enarx.evidence.nvidia_rim import Part
from enarx.platform.simulated import pki
from enarx.platform.simulated.nvidia import (
    DRIVER,
    VBIOS,
    SimulatedNvidia,
    leaf_extensions,
    raw_signature,
)
from tests.evidence.nvidia_world import GPU, NONCE, SWITCH, WHEN, judged, refused


def test_a_gpu_says_what_was_signed() -> None:
    claims = judged()
    assert (claims.bound, claims.launch, claims.debug()) == (NONCE, None, False)
    facts = claims.facts()
    assert (facts["driver_version"], facts["vbios_version"], facts["mode"]) == (DRIVER, VBIOS, "spt")
    assert (facts["architecture"], facts["product"], facts["serial"]) == ("hopper", "GH100", "48b02d0000000001")
    assert facts["measurements"]["64"] == "40" * 48
    assert claims.ocsp == "missing"


def test_a_switch_has_no_driver() -> None:
    claims = judged(device=SWITCH)
    assert (claims.opaque.driver_version, claims.opaque.vbios_version, claims.opaque.locked) == (None, VBIOS, True)
    assert claims.parts() == (Part.VBIOS,)


@pytest.mark.parametrize("product", ["GB100", "GB202"])
def test_blackwell_writes_its_firmware_id_as_dice_does(product: str) -> None:
    device = SimulatedNvidia.made(WHEN, product=product, dice=True)
    assert judged(device=device).architecture == "blackwell"


def test_certificates_may_come_in_any_order_and_without_their_root() -> None:
    chain = GPU.certificates
    for certificates in (tuple(reversed(chain)), chain[:-1], (chain[2], chain[0], chain[3], chain[1])):
        judged(given_=Endorsements(certificates=certificates))


@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_chain_with_a_gap_is_refused(place: int) -> None:
    chain = GPU.certificates
    given_ = Endorsements(certificates=(*chain[:place], *chain[place + 1 :]))
    assert refused(given_=given_)[0] is Unauthentic


def test_the_chain_may_lie_beside_the_report_as_pem_or_der() -> None:
    pem = b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in GPU.certificates)
    for chain in (pem, b"".join(GPU.certificates)):
        evidence = Evidence(Kind.NVIDIA_GPU, GPU.report(NONCE), {"certificates": chain})
        nvidia.judge(evidence, Endorsements(), anchors=GPU.anchors(), when=WHEN)


def test_no_certificates_is_undetermined() -> None:
    assert refused(given_=Endorsements()) == (Undetermined, Reason.ENDORSEMENT_MISSING)


def test_unknown_parts_and_kinds_are_malformed() -> None:
    for evidence in (Evidence(Kind.NVIDIA_GPU, b"", {"more": b""}), Evidence(Kind.CCA, b"")):
        with pytest.raises(Malformed):
            nvidia.judge(evidence, Endorsements(), anchors=GPU.anchors(), when=WHEN)


def test_a_leaf_that_is_a_ca_or_signs_nothing_is_refused() -> None:
    for extensions in (
        [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (pki.usage("digital_signature", "key_cert_sign"), True),
            *_extensions()[1:],
        ],
        [(pki.usage("key_agreement"), True), *_extensions()[1:]],
    ):
        leaf = _leaf(extensions)
        assert refused(given_=Endorsements(certificates=(leaf, *GPU.certificates[1:]))) == (
            Unauthentic,
            Reason.CERTIFICATE_PROFILE,
        )


def _extensions(**more: Any) -> list[tuple[x509.ExtensionType, bool]]:
    return leaf_extensions("GH100", GPU.key.public_key(), more.pop("fwid", b"\xf1" * 48), dice=False, **more)


def _leaf(extensions: list[tuple[x509.ExtensionType, bool]]) -> bytes:
    start, end = WHEN - timedelta(days=1), WHEN + timedelta(days=1)
    return pki.der(pki.issued("leaf", GPU.key.public_key(), GPU.chain[-1], start, end, extensions=extensions))


@pytest.mark.parametrize("missing", [1, 2])
def test_a_leaf_without_device_information_or_firmware_id_is_malformed(missing: int) -> None:
    extensions = _extensions()
    del extensions[missing]
    with pytest.raises(Malformed):
        device_of(Certificate(_leaf(extensions)))


def test_the_firmware_in_the_report_is_the_one_in_the_certificate() -> None:
    assert refused(GPU.report(NONCE, f20=b"\xf2" * 48)) == (Unauthentic, Reason.KEY_NOT_BOUND)
    judged(GPU.report(NONCE, f20=None))


def test_a_report_signed_by_another_key_is_refused() -> None:
    raw = GPU.report(NONCE)
    forged = raw[:-96] + raw_signature(ec.generate_private_key(ec.SECP384R1()), raw[:-96])
    assert refused(forged) == (Unauthentic, Reason.SIGNATURE_INVALID)


@pytest.mark.parametrize("signature", [bytes(96), b"\xff" * 96])
def test_signatures_outside_the_group_are_refused(signature: bytes) -> None:
    assert refused(GPU.report(NONCE)[:-96] + signature) == (Unauthentic, Reason.SIGNATURE_INVALID)


def test_another_device_of_nvidias_is_neither_gpu_nor_switch() -> None:
    device = SimulatedNvidia.made(WHEN, product="CX7")
    assert refused(device=device) == (Unauthentic, Reason.ENDORSEMENT_MISMATCH)


def test_memory_spares_signatures_and_not_validity() -> None:
    memory: Memory[Any] = Memory()
    first = judged(memory=memory)
    assert len(memory) == 1
    assert judged(memory=memory).checks == first.checks
    early = WHEN - timedelta(days=3)
    assert refused(memory=memory, when=early) == (Unauthentic, Reason.NOT_YET_VALID)


def test_memory_spares_manifests_and_not_their_time() -> None:
    memory: Memory[Any] = Memory()
    given_ = msgspec.structs.replace(GPU.endorsements(WHEN), ocsp=())
    first = judged(given_=given_, memory=memory)
    assert judged(given_=given_, memory=memory).matches == first.matches
    late = judged(given_=given_, memory=memory, when=WHEN + timedelta(days=400))
    assert {match.reason for match in late.matches} == {Reason.EXPIRED}
    fresh = judged(given_=given_, when=WHEN + timedelta(days=400))
    assert fresh.matches == late.matches


def test_memory_of_one_anchor_set_is_none_for_another() -> None:
    memory: Memory[Any] = Memory()
    judged(memory=memory)
    report = nvidia.parse(GPU.report(NONCE), Kind.NVIDIA_GPU, GPU.certificates)
    with pytest.raises(Unauthentic):
        nvidia.authenticate(report, Endorsements(), anchors=SWITCH.anchors(), when=WHEN, memory=memory)
