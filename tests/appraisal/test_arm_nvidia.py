# SPDX-License-Identifier: Apache-2.0
"""What the sections of Arm and NVIDIA answer where the field vectors do not go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.x509 import ReasonFlags, ocsp

from enarx.appraisal import cca as cca_section
from enarx.appraisal import nvidia as nvidia_section
from enarx.errors import Reason
from enarx.evidence import cca, nvidia, psa
from enarx.evidence.check import Check, Verdict
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.kind import Kind
from enarx.platform.simulated.cca import SimulatedCca
from enarx.platform.simulated.cose import sign1
from enarx.platform.simulated.nvidia import DRIVER, SimulatedNvidia
from enarx.platform.simulated.psa import SimulatedPsa, component

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
REALM = SimulatedCca.made()
CHIP = SimulatedPsa.made()
GPU = SimulatedNvidia.made(WHEN)
GOOD = GPU.endorsements(WHEN)


def nvidia_checks(given: Endorsements = GOOD, report: bytes | None = None, **policy: Any) -> dict[str, Check]:
    parsed = nvidia.parse(report or GPU.report(bytes(32)), Kind.NVIDIA_GPU, GPU.certificates)
    claims = nvidia.authenticate(parsed, given, anchors=GPU.anchors(), when=WHEN)
    section = {**msgspec.to_builtins(nvidia_section.unchecked()), "debug": "unchecked", **policy}
    wanted = msgspec.convert(section, nvidia_section.NvidiaGpuPolicy)
    return {check.name: check for check in nvidia_section.appraise(claims, wanted, when=WHEN)}


def cca_checks(changes: dict[str, Any] | None = None, **policy: Any) -> dict[str, Check]:
    token = cca.parse(REALM.token(bytes(64), **(changes or {})))
    claims = cca.authenticate(token, NOTHING, anchors=REALM.anchors(), when=WHEN)
    section = {**msgspec.to_builtins(cca_section.unchecked()), **policy}
    wanted = msgspec.convert(section, cca_section.CcaPolicy)
    return {check.name: check for check in cca_section.appraise(claims, wanted, when=WHEN)}


def psa_checks(raw: bytes, **policy: Any) -> dict[str, Check]:
    claims = psa.authenticate(psa.parse(raw), NOTHING, anchors=CHIP.anchors(), when=WHEN)
    section = {**msgspec.to_builtins(cca_section.psa_unchecked()), **policy}
    wanted = msgspec.convert(section, cca_section.PsaPolicy)
    return {check.name: check for check in cca_section.appraise_psa(claims, wanted, when=WHEN)}


def test_left_open_every_check_says_so_and_none_refuses() -> None:
    token = CHIP.token(bytes(32))
    for checks in (nvidia_checks(), cca_checks(), psa_checks(token)):
        assert not any(check.says_no() for check in checks.values())
        assert all(check.source.startswith("policy: ") for check in checks.values())


def test_a_table_that_names_no_register_and_no_block_accepts_nothing() -> None:
    assert cca_checks(extensible_measurements={})["REM"].reason is Reason.MEASUREMENT_NOT_ACCEPTED
    assert nvidia_checks(measurements={})["measurements"].reason is Reason.MEASUREMENT_NOT_ACCEPTED


def test_an_empty_list_accepts_nothing() -> None:
    assert cca_checks(hash=[])["RIM"].says_no()
    assert cca_checks(platforms=[])["instance id"].says_no()
    assert nvidia_checks(platforms=[])["device"].says_no()
    assert nvidia_checks(driver_versions=[])["driver version"].says_no()


def test_a_block_that_is_not_in_the_report_is_not_accepted() -> None:
    found = nvidia_checks(measurements={"65": ["00" * 48]})["measurement 65"]
    assert (found.verdict, found.fact) == (Verdict.FAILED, "not in the report")


@pytest.mark.parametrize("version", ["550.90.07", "550.90", "549.999.9"])
def test_a_driver_as_new_as_the_minimum_is_new_enough(version: str) -> None:
    assert not nvidia_checks(minimum_driver_version=version)["driver version minimum"].says_no()


@pytest.mark.parametrize("driver", [b"r550_00", b"dev"])
def test_a_driver_whose_version_is_no_number_is_below_every_minimum(driver: bytes) -> None:
    checks = nvidia_checks(report=GPU.report(bytes(32), f3=driver), minimum_driver_version="1.0")
    assert checks["driver version minimum"].reason is Reason.VERSION_TOO_LOW


def test_a_chip_may_be_named_by_ueid_or_serial() -> None:
    ueid = nvidia.device_of(nvidia.Certificate(GPU.certificates[0])).ueid
    for name in (ueid, "48b02d0000000001"):
        assert not nvidia_checks(platforms=[name])["device"].says_no()


def test_no_manifest_is_undetermined_and_a_wrong_one_is_a_no() -> None:
    none = msgspec.structs.replace(GOOD, rims=())
    assert nvidia_checks(none, rim="required")["RIM of the driver"].verdict is Verdict.UNDETERMINED
    wrong = msgspec.structs.replace(GOOD, rims=(GPU.rim(DRIVER, {1: (bytes(48),), 3: (bytes(48),)}), GOOD.rims[1]))
    found = nvidia_checks(wrong, rim="required")
    assert found["RIM of the driver"].fact == "550.90.07: blocks 2, 4 do not agree"
    assert not found["RIM of the vbios"].says_no()
    open_ = nvidia_checks(wrong)
    assert (open_["RIM of the driver"].fact, open_["RIM of the vbios"].fact) == (
        "550.90.07: blocks 2, 4 do not agree",
        "agrees",
    )


def test_debug_is_excluded_by_manifests_of_every_part_only() -> None:
    assert not nvidia_checks(debug="refused")["debug"].says_no()
    half = msgspec.structs.replace(GOOD, rims=GOOD.rims[:1])
    assert nvidia_checks(half, debug="refused")["debug"].reason is Reason.REFERENCE_MISSING


@pytest.mark.parametrize(
    ("wanted", "status", "verdict"),
    [
        ("good", None, Verdict.UNDETERMINED),
        ("good", ocsp.OCSPCertStatus.UNKNOWN, Verdict.UNDETERMINED),
        ("good", ocsp.OCSPCertStatus.REVOKED, Verdict.FAILED),
        ("hold", ocsp.OCSPCertStatus.REVOKED, Verdict.PASSED),
        ("good", ocsp.OCSPCertStatus.GOOD, Verdict.PASSED),
        ("unchecked", None, Verdict.UNCHECKED),
    ],
)
def test_what_the_responder_says_counts_as_the_policy_wants(
    wanted: str, status: ocsp.OCSPCertStatus | None, verdict: Verdict
) -> None:
    hold = ReasonFlags.certificate_hold if status is ocsp.OCSPCertStatus.REVOKED else None
    said = () if status is None else GPU.ocsp(WHEN, status=status, reason=hold)
    checks = nvidia_checks(msgspec.structs.replace(GOOD, ocsp=said), ocsp=wanted, rim="required")
    names = [name for name in checks if name.startswith("OCSP: ")]
    assert names == [
        "OCSP: device certificates",
        "OCSP: signers of the driver's RIM",
        "OCSP: signers of the vbios's RIM",
    ]
    assert {checks[name].verdict for name in names} == {verdict}


def test_components_are_named_where_they_are_not_known() -> None:
    many = [component(f"C{n}", n) for n in range(1, 6)]
    found = cca_checks({"components": many}, components=["01" * 32])["software components: components"]
    assert str(found.fact).startswith("C2 0202")
    assert str(found.fact).endswith("and 1 more")


def test_a_chip_that_measured_nothing_is_on_no_list() -> None:
    import cbor2

    from enarx.codec import cbor

    claims = cbor2.loads(cbor2.loads(CHIP.token(bytes(32), first=True, components=None)).value[2])
    raw = sign1(cbor.encode({**claims, -75007: 1}), CHIP.key)
    assert psa_checks(raw, components=["11" * 32])["software components: components"].fact == "nothing was measured"
    assert not psa_checks(raw)["software components: components"].says_no()


def test_claims_left_out_are_listed_as_none() -> None:
    raw = CHIP.token(bytes(32), first=True, profile=None, certification_reference=None)
    assert not psa_checks(raw, profile=["none"], certification_reference=["none"])["profile"].says_no()
    assert psa_checks(raw, profile=["PSA_IOT_PROFILE_1"])["profile"].says_no()


def test_every_algorithm_in_a_token_counts() -> None:
    import hashlib

    key = REALM.cose_key()
    changes = {"key_hash": "sha-512", "platform_challenge": hashlib.sha512(key).digest()}
    assert cca_checks(changes, hash_algorithm=["sha-256"])["hash algorithms"].says_no()
    assert not cca_checks(changes, hash_algorithm=["sha-256", "sha-512"])["hash algorithms"].says_no()
