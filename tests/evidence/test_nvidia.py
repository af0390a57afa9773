# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import nvidia, nvidia_opaque, spdm
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.nvidia_identity import device_of
from enarx.evidence.nvidia_rim import Part, manifest_ids
from enarx.platform.simulated import pki
from enarx.platform.simulated.nvidia import (
    DRIVER,
    VBIOS,
    SimulatedNvidia,
    default_blocks,
    leaf_extensions,
    opaque_data,
    raw_signature,
)

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
NONCE = bytes(range(32))
GPU = SimulatedNvidia.made(WHEN)
SWITCH = SimulatedNvidia.made(WHEN, Kind.NVIDIA_SWITCH)


def judged(
    raw: bytes | None = None, given_: Endorsements | None = None, *, device: SimulatedNvidia = GPU, **more: Any
) -> nvidia.NvidiaClaims:
    evidence = Evidence(device.kind, raw if raw is not None else device.report(NONCE))
    endorsements = given_ or Endorsements(certificates=device.certificates)
    return nvidia.judge(evidence, endorsements, anchors=device.anchors(), when=more.pop("when", WHEN), **more)


def refused(*args: Any, **more: Any) -> tuple[type[EnarxError], Reason]:
    with pytest.raises(EnarxError) as caught:
        judged(*args, **more)
    return type(caught.value), caught.value.reason


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


def test_memory_of_one_anchor_set_is_none_for_another() -> None:
    memory: Memory[Any] = Memory()
    judged(memory=memory)
    report = nvidia.parse(GPU.report(NONCE), Kind.NVIDIA_GPU, GPU.certificates)
    with pytest.raises(Unauthentic):
        nvidia.authenticate(report, Endorsements(), anchors=SWITCH.anchors(), when=WHEN, memory=memory)


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


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({"f36": b"\x01\x00"}, "mpt"),
        ({"f36": b"\x02\x00"}, "ppcie"),
        ({"f36": None, "f21": b"\xaa"}, "ppcie"),
        ({"f36": None}, "spt"),
        ({"f36": None, "f21": None}, None),
    ],
)
def test_the_mode_is_the_feature_flag_or_the_protected_pcie_status(
    changes: dict[str, bytes | None], mode: str | None
) -> None:
    assert nvidia_opaque.parse(opaque_data(Kind.NVIDIA_GPU, **changes)).mode == mode


@pytest.mark.parametrize(
    "raw",
    [
        b"\x03",
        opaque_data(Kind.NVIDIA_GPU) + b"\x03\x00\x01\x001",
        opaque_data(Kind.NVIDIA_GPU)[:-1],
        opaque_data(Kind.NVIDIA_GPU, f6=None),
        opaque_data(Kind.NVIDIA_GPU, f6=b"\xff" * 9),
        opaque_data(Kind.NVIDIA_GPU, f3=b"\n"),
        opaque_data(Kind.NVIDIA_GPU, f3=b"550;rm"),
        opaque_data(Kind.NVIDIA_GPU, f11=b"\x00"),
        opaque_data(Kind.NVIDIA_GPU, f36=b"\x03\x00"),
    ],
)
def test_opaque_data_of_another_shape_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        nvidia_opaque.parse(raw)


REPORT = GPU.report(NONCE)


@pytest.mark.parametrize(
    ("at", "octet"),
    [
        (0, 0x10),
        (1, 0xE1),
        (2, 0),
        (3, 1),
        (36, 8),
        (37, 0x12),
        (38, 0x61),
        (39, 1),
        (40, 1),
        (41, 63),
        (42, 0),
        (45, 2),
        (46, 2),
    ],
)
def test_a_header_of_another_value_is_malformed(at: int, octet: int) -> None:
    changed = bytearray(REPORT)
    changed[at] = octet
    with pytest.raises(Malformed):
        spdm.parse(bytes(changed))


def test_a_report_is_bounded() -> None:
    with pytest.raises(Malformed):
        spdm.parse(REPORT + bytes(spdm.MAX_BYTES))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, len(REPORT)))
def test_any_bytes_are_refused_in_our_families(noise: bytes, at: int) -> None:
    for raw in (noise, REPORT[:at] + noise):
        if raw == REPORT or raw.rstrip(b"\0") == REPORT:
            continue
        with pytest.raises(EnarxError):
            judged(raw)


def _delegated(*, usage: bool = True, by: pki.Authority | None = None) -> bytes:
    """An answer by a responder that the issuer of the boot ROM's certificate has appointed, or not."""
    pair = GPU.chain[-1].certificate, by or GPU.chain[-2]
    key = ec.generate_private_key(ec.SECP384R1())
    extensions: list[tuple[x509.ExtensionType, bool]] = [(pki.usage("digital_signature"), True)]
    if usage:
        extensions.append((x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.OCSP_SIGNING]), False))
    start = WHEN - timedelta(days=1)
    responder = pki.issued(
        "responder", key.public_key(), pair[1], start, WHEN + timedelta(days=9), extensions=extensions
    )
    built = ocsp.OCSPResponseBuilder().add_response(
        pair[0], GPU.chain[-2].certificate, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, start,  # noqa: S303
        WHEN + timedelta(days=1), None, None,
    )  # fmt: skip
    built = built.responder_id(ocsp.OCSPResponderEncoding.HASH, responder).certificates([responder])
    return built.sign(key, hashes.SHA384()).public_bytes(Encoding.DER)


def test_an_appointed_responder_may_answer() -> None:
    given_ = Endorsements(certificates=GPU.certificates, ocsp=(_delegated(), *GPU.ocsp(WHEN)[1:]))
    assert judged(given_=given_).ocsp == "good"


def test_a_responder_that_nobody_appointed_may_not() -> None:
    for lie, reason in (
        (_delegated(usage=False), Reason.CERTIFICATE_PROFILE),
        (_delegated(by=SWITCH.chain[-2]), Reason.CHAIN_BROKEN),
    ):
        given_ = Endorsements(certificates=GPU.certificates, ocsp=(lie,))
        assert refused(given_=given_) == (Unauthentic, reason)


def test_an_answer_that_is_none_is_malformed() -> None:
    failure = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    for raw in (b"", b"\x30\x00", failure.public_bytes(Encoding.DER)):
        assert refused(given_=Endorsements(certificates=GPU.certificates, ocsp=(raw,)))[0] is Malformed


def test_unknown_is_no_answer() -> None:
    given_ = Endorsements(certificates=GPU.certificates, ocsp=GPU.ocsp(WHEN, status=ocsp.OCSPCertStatus.UNKNOWN))
    assert judged(given_=given_).ocsp == "unknown"
