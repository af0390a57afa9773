"""SNP reports: read to the last byte, believed only under AMD's roots, for the right chip and TCB."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.codec import der
from enarx.errors import EnarxError, Faulty, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence import amd_certificate, snp
from enarx.evidence.amd_intermediates import intermediates
from enarx.evidence.amd_roots import roots
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Verdict
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.production import production
from enarx.evidence.snp_report import Cpuid, SigningKey
from enarx.evidence.snp_tcb import Product, components, product_of
from enarx.platform.simulated import pki
from enarx.platform.simulated.snp import SimulatedSnp, leaf_values
from tests.evidence.snp_world import NOW, Capture, authority, capture, vendor

CHIP = SimulatedSnp.made(NOW, amd=vendor())


def judged(chip: SimulatedSnp, report: bytes, *, when=NOW, given=None, memory=None) -> snp.SnpClaims:
    return snp.judge(
        Evidence(Kind.SNP, report), given or chip.endorsements(), anchors=chip.anchors(), when=when, memory=memory
    )


def refused(family, reason, call) -> EnarxError:
    with pytest.raises(family) as caught:
        call()
    assert reason == caught.value.reason
    return caught.value


# --- reading


@pytest.mark.parametrize(
    ("offset", "field"),
    [(0x4C, "reserved"), (0x18B, "reserved"), (0x19F, "reserved"), (0x1EB, "reserved"), (0x1EF, "reserved"),
     (0x208, "reserved"), (0x29F, "reserved"), (0x2A0 + 48, "R"), (0x2A0 + 71, "R"), (0x2E8 + 48, "S"),
     (0x330, "SIGNATURE"), (0x49F, "SIGNATURE"), (0x4A, "0x48"), (0x0B, "POLICY")],
)  # fmt: skip
def test_anything_reserved_must_be_zero(offset: int, field: str) -> None:
    raw = bytearray(CHIP.report(b""))
    raw[offset] |= 0x80
    error = refused(Malformed, Reason.RESERVED_NOT_ZERO, lambda: snp.parse(bytes(raw)))
    assert field in error.subject


def test_version_2_has_no_cpuid_and_before_5_there_are_no_mitigation_vectors() -> None:
    for version, offset in ((2, 0x188), (2, 0x1F8), (3, 0x1F8), (4, 0x200)):
        raw = bytearray(CHIP.report(b"", version=version))
        raw[offset] = 1
        refused(Malformed, Reason.RESERVED_NOT_ZERO, lambda raw=raw: snp.parse(bytes(raw)))


@pytest.mark.parametrize("version", [0, 1, 6, 0x80000002])
def test_other_versions_are_unknown(version: int) -> None:
    refused(Malformed, Reason.UNKNOWN_VERSION, lambda: snp.parse(CHIP.report(b"", version=version)))


@pytest.mark.parametrize(
    "fields",
    [{"policy": 0x10000}, {"signature_algo": 0}, {"signature_algo": 2}, *({"signing_key": k} for k in range(2, 7))],
)
def test_values_without_a_meaning_are_refused(fields: dict) -> None:
    refused(Malformed, Reason.UNKNOWN_VALUE, lambda: snp.parse(CHIP.report(b"", **fields)))


def test_a_report_has_1184_bytes() -> None:
    raw = CHIP.report(b"")
    refused(Malformed, Reason.TRAILING_BYTES, lambda: snp.parse(raw + b"\0"))
    for size in (0, 3, 4, 0x2A0, 1183):
        refused(Malformed, Reason.TRUNCATED, lambda size=size: snp.parse(raw[:size]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=1400), st.integers(0, 1183))
def test_no_bytes_break_the_parser(noise: bytes, at: int) -> None:
    raw = CHIP.report(b"")
    for data in (noise, raw[:at] + noise + raw[at + len(noise) :]):
        with contextlib.suppress(Malformed):
            snp.parse(data)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 5), st.binary(min_size=64, max_size=64), st.binary(min_size=48, max_size=48),
    st.binary(min_size=32, max_size=32), st.integers(0, 3), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_what_is_written_is_read(version, report_data, measurement, host_data, vmpl, guest_svn) -> None:
    raw = CHIP.report(report_data, host_data, version=version, measurement=measurement, vmpl=vmpl, guest_svn=guest_svn)
    report = snp.parse(raw)
    found = report.version, report.report_data, report.measurement, report.host_data, report.vmpl, report.guest_svn
    assert (version, report_data, measurement, host_data, vmpl, guest_svn) == found
    assert raw == report.raw


# --- captures


def test_a_masked_chip_with_a_vlek_is_genuine_and_has_no_identity(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "trustee-aws-vlek-v3")
    claims = snp.authenticate(snp.parse(taken.report), taken.endorsements(), anchors=production(), when=taken.when)
    assert (claims.endorsed.key, claims.product, claims.chip()) == (SigningKey.VLEK, Product.MILAN, None)
    assert claims.endorsed.csp_id == "CN=cc-us-east-2.amazonaws.com"
    assert claims.report.vmpl == 1


def test_turin_has_a_chip_id_of_8_bytes_and_its_own_order_of_components(evidence_dir: Path) -> None:
    taken = capture(evidence_dir, "oak-turin-v5")
    claims = snp.authenticate(snp.parse(taken.report), taken.endorsements(), anchors=production(), when=taken.when)
    assert bytes.fromhex("3b42092f69c656d3") + bytes(56) == claims.chip()
    found = components(claims.report.reported_tcb, claims.product)
    assert found == {"fmc": 0, "bootloader": 1, "tee": 0, "snp": 2, "microcode": 0x47}


def test_a_pinned_intermediate_stands_in_for_a_missing_one(evidence_dir: Path) -> None:
    for name in ("oak-turin-v5", "trustee-aws-vlek-v3", "tinfoil-genoa-v3"):
        taken = capture(evidence_dir, name)
        only_leaf = Endorsements(taken.chain[:1])
        claims = snp.authenticate(snp.parse(taken.report), only_leaf, anchors=production(), when=taken.when)
        assert claims.bound == claims.report.report_data


def test_pinned_certificates_are_those_that_amd_serves(evidence_dir: Path) -> None:
    served = {authority(evidence_dir, path.name) for path in (evidence_dir / "_amd_ca").glob("*.pem")}
    revoked = authority(evidence_dir, "SEV-Genoa-REVOKED-0x20001.pem")
    assert served - {revoked} == {c.raw for c in (*roots(), *intermediates())}


def _time_case(evidence_dir: Path) -> tuple[Capture, snp.SnpClaims]:
    taken = capture(evidence_dir, "spire-azure-milan-v2-crl")
    claims = snp.authenticate(snp.parse(taken.report), taken.endorsements(), anchors=production(), when=taken.when)
    return taken, claims


@pytest.mark.parametrize("remembered", [False, True])
def test_time_is_asked_again_of_what_is_remembered(evidence_dir: Path, remembered: bool) -> None:
    taken, claims = _time_case(evidence_dir)
    memory = Memory() if remembered else None

    def at(when):
        return snp.authenticate(
            snp.parse(taken.report), taken.endorsements(), anchors=production(), when=when, memory=memory
        )

    at(taken.when)
    second = timedelta(seconds=1)
    at(claims.window.not_before)
    at(claims.window.not_after)
    for when in (claims.window.not_before - second, claims.window.not_after + second):
        with pytest.raises((Unauthentic, Undetermined)) as caught:
            at(when)
        assert caught.value.reason in (Reason.EXPIRED, Reason.NOT_YET_VALID)


def test_without_a_crl_the_finding_says_so(evidence_dir: Path) -> None:
    taken, with_crl = _time_case(evidence_dir)
    without = snp.authenticate(
        snp.parse(taken.report), Endorsements(taken.chain), anchors=production(), when=taken.when
    )
    assert [c for c in with_crl.checks if c.reason] == []
    (finding,) = [c for c in without.checks if c.reason]
    assert (finding.reason, finding.verdict) == (Reason.REVOCATION_UNCHECKED, Verdict.NOTED)


def test_a_crl_of_another_issuer_or_out_of_date_is_refused(evidence_dir: Path) -> None:
    taken, _ = _time_case(evidence_dir)
    genoa = (evidence_dir / "_amd_ca" / "ARK-Genoa-crl-2022-10-31_2023-10-31.der").read_bytes()
    old = (evidence_dir / "_amd_ca" / "ARK-Milan-crl-2022-05-09_2023-05-09.der").read_bytes()
    for crl, family, reason in ((genoa, Unauthentic, Reason.CHAIN_BROKEN), (old, Undetermined, Reason.EXPIRED)):
        given = Endorsements(taken.chain, (crl,))
        refused(family, reason, lambda given=given: snp.authenticate(
            snp.parse(taken.report), given, anchors=production(), when=taken.when))  # fmt: skip
    both = Endorsements(taken.chain, (old, *taken.crls))
    snp.authenticate(snp.parse(taken.report), both, anchors=production(), when=taken.when)


# --- endorsements and report must agree


def test_evidence_of_a_simulated_chip_is_never_of_production() -> None:
    evidence, given = CHIP.evidence(b"x")
    error = refused(Unauthentic, Reason.UNKNOWN_ANCHOR, lambda: authenticate(
        evidence, given, anchors=production(), when=NOW))  # fmt: skip
    assert "Enarx simulated TEE" in error.subject
    assert authenticate(evidence, given, anchors=CHIP.anchors(), when=NOW).anchors == "simulated"


@pytest.mark.parametrize("product", list(Product))
@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("key", [SigningKey.VCEK, SigningKey.VLEK])
def test_every_product_version_and_key(product: Product, version: int, key: SigningKey) -> None:
    chip = SimulatedSnp.made(NOW, amd=vendor(product), signing_key=key, version=version)
    claims = judged(chip, chip.report(b"x" * 64))
    assert (product, key, version) == (claims.product, claims.endorsed.key, claims.report.version)


def test_the_certificate_must_be_for_the_reported_tcb() -> None:
    for at in range(8):
        tcb = bytearray(CHIP.fields.reported_tcb)
        tcb[at] ^= 1
        report = CHIP.report(b"", reported_tcb=bytes(tcb))
        refused(Unauthentic, Reason.ENDORSEMENT_MISMATCH, lambda report=report: judged(CHIP, report))


def test_the_certificate_must_be_for_the_chip_unless_it_is_masked() -> None:
    other = CHIP.report(b"", chip_id=b"\1" * 64)
    refused(Unauthentic, Reason.ENDORSEMENT_MISMATCH, lambda: judged(CHIP, other))
    assert CHIP.fields.chip_id == judged(CHIP, CHIP.report(b"", chip_id=bytes(64))).chip()


def test_the_product_must_be_that_of_the_chain() -> None:
    for cpuid in ((0x19, 0x11, 1), (0x19, 0xA0, 2), (0x1A, 2, 1), (0x17, 1, 1), (0x19, 0x20, 0)):
        report = CHIP.report(b"", cpuid=cpuid)
        refused(Unauthentic, Reason.ENDORSEMENT_MISMATCH, lambda report=report: judged(CHIP, report))


@pytest.mark.parametrize(
    ("family", "model", "product"),
    [(0x19, 0x00, Product.MILAN), (0x19, 0x0F, Product.MILAN), (0x19, 0x10, Product.GENOA), (0x19, 0xA0, Product.GENOA),
     (0x19, 0xAF, Product.GENOA), (0x1A, 0x1F, Product.TURIN), (0x19, 0x9F, None), (0x1A, 0x20, None), (0x19, 0xB0, None)],
)  # fmt: skip
def test_products_by_family_and_model(family: int, model: int, product: Product | None) -> None:
    assert product == product_of(Cpuid(family, model, 0))


def test_a_vlek_does_not_stand_in_for_a_vcek_nor_the_reverse() -> None:
    vlek = SimulatedSnp.made(NOW, amd=vendor(), signing_key=SigningKey.VLEK)
    swapped = vlek.report(b"", signing_key=0)
    refused(Unauthentic, Reason.ENDORSEMENT_MISMATCH, lambda: judged(vlek, swapped))
    refused(Unauthentic, Reason.ENDORSEMENT_MISMATCH, lambda: judged(CHIP, CHIP.report(b"", signing_key=1)))


def test_a_leaf_under_the_other_kind_of_intermediate_is_refused() -> None:
    amd = vendor()
    values = leaf_values(Product.MILAN, CHIP.fields.reported_tcb, hwid=CHIP.fields.chip_id)
    swapped = type(amd)(amd.product, amd.ark, amd.asvk, amd.ask)
    leaf = swapped.leaf(CHIP.key.public_key(), NOW, **values)
    given = Endorsements((leaf, pki.der(swapped.ask.certificate), amd.root))
    refused(Unauthentic, Reason.ENDORSEMENT_MISMATCH, lambda: judged(CHIP, CHIP.report(b""), given=given))


def test_reports_that_no_key_signed_are_refused() -> None:
    refused(Unauthentic, Reason.SIGNATURE_INVALID, lambda: judged(CHIP, CHIP.report(b"", signing_key=7)))
    refused(Unauthentic, Reason.KEY_NOT_BOUND, lambda: judged(CHIP, CHIP.report(b"", mask_chip_key=1)))


def test_a_provider_whose_platform_does_not_use_the_chips_key_signs_with_its_own() -> None:
    vlek = SimulatedSnp.made(NOW, amd=vendor(), signing_key=SigningKey.VLEK)
    assert judged(vlek, vlek.report(b"", mask_chip_key=1)).report.mask_chip_key


@pytest.mark.parametrize("half", [0x2A0, 0x2E8])
@pytest.mark.parametrize("value", [0, snp.P384_ORDER, snp.P384_ORDER + 1, (1 << 384) - 1])
def test_halves_of_a_signature_are_in_range(half: int, value: int) -> None:
    raw = bytearray(CHIP.report(b""))
    raw[half : half + 48] = value.to_bytes(48, "little")
    refused(Unauthentic, Reason.SIGNATURE_INVALID, lambda: judged(CHIP, bytes(raw)))


def test_without_a_certificate_nothing_is_known() -> None:
    for some in (Endorsements(CHIP.certificates[1:]), NOTHING):
        error = refused(
            Undetermined, Reason.ENDORSEMENT_MISSING,
            lambda some=some: snp.authenticate(snp.parse(CHIP.report(b"")), some, anchors=CHIP.anchors(), when=NOW),
        )  # fmt: skip
        assert Verdict.UNDETERMINED is error.checks[-1].verdict


def test_reserved_bytes_of_a_tcb_are_zero() -> None:
    refused(Unauthentic, Reason.RESERVED_NOT_ZERO, lambda: judged(
        CHIP, CHIP.report(b"", current_tcb=bytes.fromhex("0400000100001aff"))))  # fmt: skip


def test_of_several_leaves_the_one_for_this_chip_and_tcb_is_taken() -> None:
    twin = SimulatedSnp.made(NOW, amd=vendor())
    given = Endorsements((twin.certificates[0], *CHIP.certificates))
    assert CHIP.fields.chip_id == judged(CHIP, CHIP.report(b""), given=given).chip()


def test_a_forged_issuer_beside_a_genuine_chain_is_refused() -> None:
    forged = SimulatedSnp.made(NOW)
    for stranger in (forged.certificates[1], forged.root):
        given = Endorsements((*CHIP.certificates, stranger))
        with pytest.raises(Unauthentic):
            judged(CHIP, CHIP.report(b""), given=given)


# --- what the leaf says


def _with_leaf(**changes: bytes) -> Endorsements:
    values = leaf_values(Product.MILAN, CHIP.fields.reported_tcb, hwid=CHIP.fields.chip_id)
    leaf = vendor().leaf(CHIP.key.public_key(), NOW, **{**values, **changes})
    return Endorsements((leaf, *CHIP.certificates[1:]))


def test_the_hwid_may_stand_bare_or_in_an_octet_string() -> None:
    hwid = CHIP.fields.chip_id
    for first in (b"\x04", b"\x02", b"\x30"):
        chip = SimulatedSnp.made(NOW, amd=vendor(), chip_id=first + hwid[1:])
        values = leaf_values(Product.MILAN, chip.fields.reported_tcb, hwid=chip.fields.chip_id)
        for value in (chip.fields.chip_id, der.write(der.OCTET_STRING, chip.fields.chip_id)):
            leaf = vendor().leaf(chip.key.public_key(), NOW, **{**values, amd_certificate.HWID: value})
            given = Endorsements((leaf, *chip.certificates[1:]))
            assert chip.fields.chip_id == judged(chip, chip.report(b""), given=given).endorsed.hwid


@pytest.mark.parametrize(
    "changes",
    [
        {amd_certificate.HWID: b""},
        {amd_certificate.HWID: bytes(63)},
        {amd_certificate.HWID: der.write(der.OCTET_STRING, bytes(63)) + b"\0"},
        {amd_certificate.PRODUCT_NAME: b""},
        {amd_certificate.PRODUCT_NAME: der.write(der.IA5_STRING, b"Naples")},
        {amd_certificate.PRODUCT_NAME: der.write(der.IA5_STRING, b"\xff")},
        {amd_certificate.PRODUCT_NAME: der.write(der.UTF8_STRING, b"Milan")},
        {amd_certificate.CSP_ID: der.write(der.IA5_STRING, b"CN=x")},
        {"1.3.6.1.4.1.3704.1.3.1": b""},
        {"1.3.6.1.4.1.3704.1.3.8": der.write_integer(256)},
        {"1.3.6.1.4.1.3704.1.3.8": b"\x02\x02\x00\x01"},
        {"1.3.6.1.4.1.3704.1.3.8": b"\x02\x01\xdb"},
        {"1.3.6.1.4.1.3704.1.3.8": b"\x02\x02\x00\xdb\x00"},
        {"1.3.6.1.4.1.3704.1.3.8": b"\x04\x01\x01"},
        {"1.3.6.1.4.1.3704.1.3.9": der.write_integer(1)},
    ],
)
def test_extensions_are_read_strictly(changes: dict[str, bytes]) -> None:
    with pytest.raises(Malformed):
        judged(CHIP, CHIP.report(b""), given=_with_leaf(**changes))


def test_a_leaf_of_another_product_under_this_root_is_refused() -> None:
    name = {amd_certificate.PRODUCT_NAME: der.write(der.IA5_STRING, b"Genoa-B1")}
    refused(Unauthentic, Reason.ENDORSEMENT_MISMATCH, lambda: judged(
        CHIP, CHIP.report(b""), given=_with_leaf(**name)))  # fmt: skip


# --- revocation


def test_a_revoked_intermediate_is_refused_also_when_remembered() -> None:
    amd = vendor()
    serial = amd.ask.certificate.serial_number
    crl = amd.crl(NOW - timedelta(days=1), NOW + timedelta(days=1), revoked=(serial,))
    given = Endorsements(CHIP.certificates, (crl,))
    memory: Memory[object] = Memory()
    for _ in range(2):
        refused(Unauthentic, Reason.REVOKED, lambda: judged(CHIP, CHIP.report(b""), given=given, memory=memory))
    judged(CHIP, CHIP.report(b""), memory=memory)


def test_the_revocation_of_another_serial_is_not_ours() -> None:
    crl = vendor().crl(NOW - timedelta(days=1), NOW + timedelta(days=1), revoked=(5,))
    given = Endorsements(CHIP.certificates, (crl,))
    assert [c for c in judged(CHIP, CHIP.report(b""), given=given).checks if c.reason] == []


def test_roots_are_part_of_what_is_remembered() -> None:
    memory: Memory[object] = Memory()
    judged(CHIP, CHIP.report(b""), memory=memory)
    nobody = Anchors("nobody", {Vendor.AMD: ()})
    refused(Unauthentic, Reason.UNKNOWN_ANCHOR, lambda: snp.authenticate(
        snp.parse(CHIP.report(b"")), CHIP.endorsements(), anchors=nobody, when=NOW, memory=memory))  # fmt: skip


def test_every_refusal_carries_its_trail() -> None:
    error = refused(
        Unauthentic, Reason.SIGNATURE_INVALID, lambda: judged(CHIP, CHIP.report(b"")[:0x2A0] + bytes(0x200))
    )
    assert [c.verdict for c in error.checks if c.says_no()] == [Verdict.FAILED]
    assert len(error.checks) > 20
    assert not isinstance(error, Faulty)


def test_only_what_was_authenticated_is_remembered() -> None:
    memory: Memory[object] = Memory()
    forged = SimulatedSnp.made(NOW)
    with pytest.raises(Unauthentic):
        judged(CHIP, CHIP.report(b""), given=forged.endorsements(), memory=memory)
    assert len(memory) == 0
    judged(CHIP, CHIP.report(b""), memory=memory)
    kept = len(memory)
    for chip_id in (b"\1" * 64, b"\2" * 64):
        with pytest.raises(Unauthentic):
            judged(CHIP, CHIP.report(b"", chip_id=chip_id), memory=memory)
    assert len(memory) == kept


def test_a_flood_of_endorsements_is_refused() -> None:
    for flood in (Endorsements(CHIP.certificates * 20), Endorsements(CHIP.certificates, (b"",) * 20)):
        refused(Malformed, Reason.TOO_LARGE, lambda flood=flood: judged(CHIP, CHIP.report(b""), given=flood))


def test_parsing_takes_little_memory() -> None:
    import tracemalloc

    from enarx.evidence import snp_table

    for parse, raw in (
        (snp.parse, bytes(8 << 20)),
        (snp_table.parse, bytes(1 << 20)),
        (snp_table.parse, bytes(8 << 20)),
    ):
        tracemalloc.start()
        with contextlib.suppress(Malformed):
            parse(raw)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < (64 << 20) + 20 * len(raw)
