"""What a policy says of SGX and TDX claims."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.appraisal import sgx as sgx_section
from enarx.appraisal import tdx as tdx_section
from enarx.cli.vectors.descriptor import Vector
from enarx.errors import EnarxError, Reason
from enarx.evidence import sgx, tdx
from enarx.evidence.check import Verdict
from enarx.platform.simulated import intel_documents
from enarx.platform.simulated.intel_quote import Machine, platform
from enarx.platform.simulated.sgx import SimulatedSgx
from enarx.platform.simulated.tdx import SimulatedTdx
from tests.evidence.intel_world import FORMATS, files_of, of_case

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECTIONS: dict[str, Any] = {"sgx": sgx_section, "tdx": tdx_section}


def claims_of(simulated: SimulatedSgx | SimulatedTdx, *, quote: bytes | None = None, **replaced: Any) -> Any:
    module = FORMATS[simulated.kind]
    report = module.parse(simulated.quote(b"") if quote is None else quote)
    return module.authenticate(report, simulated.endorsements(**replaced), anchors=simulated.anchors(), when=WHEN)


def refusals(claims: sgx.SgxClaims | tdx.TdxClaims, policy: Any, *, when: datetime = WHEN) -> list[tuple[str, Reason]]:
    found = SECTIONS[claims.kind].appraise(claims, policy, when=when)
    return [(check.name, check.reason) for check in found if check.says_no()]


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_drafted_policy_accepts_what_it_was_drafted_from_and_the_built_in_refuses_debug_alone(
    evidence_dir: Path, kind: str
) -> None:
    section, accepted = SECTIONS[kind], 0
    for path in sorted((evidence_dir / kind).glob("*/vector.json")):
        files = files_of(path.parent)
        for case in msgspec.json.decode(files["vector.json"], type=Vector).cases:
            if case.verdict != "authentic":
                continue
            taken = of_case(kind, files, case)
            claims = taken.judge()
            drafted = section.drafted(claims, when=taken.when)
            assert [] == refusals(claims, drafted, when=taken.when), path.parent.name
            expected = [("DEBUG", Reason.DEBUG_ENABLED)] if case.debug else []
            assert expected == refusals(claims, section.unchecked(), when=taken.when)
            accepted += 1
    assert accepted >= 20


@pytest.mark.parametrize("simulated", [SimulatedSgx, SimulatedTdx])
def test_a_drafted_policy_refuses_another_machine(simulated: Any) -> None:
    one, other = claims_of(simulated.made(WHEN)), claims_of(simulated.made(WHEN))
    policy = SECTIONS[one.kind].drafted(one, when=WHEN)
    assert [] == refusals(one, policy)
    assert [("PPID or platform instance id", Reason.PLATFORM_NOT_ACCEPTED)] == refusals(other, policy)
    by_instance = msgspec.structs.replace(policy, platforms=frozenset({other.platform.piid.hex()}))
    assert [] == refusals(other, by_instance)


def test_every_check_is_made_also_after_one_has_refused() -> None:
    claims = claims_of(SimulatedTdx.made(WHEN))
    drafted = tdx_section.drafted(claims, when=WHEN)
    wrong = msgspec.structs.replace(
        drafted, mrtd=frozenset({"ee" * 48}), xfam=frozenset({"ee" * 8}), fmspc=frozenset({"ee" * 6}), pce_svn=99
    )
    assert {"MRTD", "XFAM", "FMSPC", "PCESVN"} == {name for name, _ in refusals(claims, wrong)}
    checks = tdx_section.appraise(claims, wrong, when=WHEN)
    fields = {check.source.removeprefix("policy: tdx.") for check in checks if check.source.startswith("policy")}
    assert set(tdx_section.TdxPolicy.__struct_fields__) == fields


def test_every_field_of_the_sgx_section_makes_a_check_of_its_own() -> None:
    claims = claims_of(SimulatedSgx.made(WHEN))
    checks = sgx_section.appraise(claims, sgx_section.unchecked(), when=WHEN)
    fields = [check.source.removeprefix("policy: sgx.") for check in checks if check.source.startswith("policy")]
    assert sorted(sgx_section.SgxPolicy.__struct_fields__) == sorted(fields)
    stated = {check.name for check in checks if check.verdict is Verdict.PASSED}
    assert {"DEBUG", "MRENCLAVE", "MRSIGNER"} == stated  # the deny-lists are empty, not open


@pytest.mark.parametrize(
    ("fmspc", "sgx_type", "attack"),
    [
        ("00606a000000", "scalable", "WireTap"),
        ("50806f000000", "scalable", "TEE.fail"),
        ("00a06d080000", "scalable-with-integrity", "TEE.fail"),
        ("000000000000", "scalable", "TEE.fail"),
        ("00906ed50000", "standard", ""),
    ],
)
def test_published_attacks_on_what_was_seen_are_noted(fmspc: str, sgx_type: str, attack: str) -> None:
    described = platform(fmspc=bytes.fromhex(fmspc), sgx_type=sgx_type)
    claims = claims_of(SimulatedSgx.made(WHEN, machine=Machine.made(WHEN, 0, described=described)))
    checks = sgx_section.appraise(claims, sgx_section.unchecked(), when=WHEN)
    said = " ".join(str(check.fact) for check in checks if check.reason is Reason.PUBLISHED_ATTACK)
    assert (attack in said) if attack else said == ""


def test_a_grace_period_counts_from_the_date_of_the_level_that_is_overdue() -> None:
    enclave = SimulatedSgx.made(WHEN)
    described = enclave.machine.platform
    made = WHEN - 20 * DAY
    level = intel_documents.level(
        3, described.components, described.pcesvn, b"", "SGX", "OutOfDate", made + timedelta(days=30)
    )
    info = intel_documents.tcb_info("SGX", described, bytes(16), WHEN, tcbLevels=[level])
    claims = claims_of(enclave, info=info)
    open_ = msgspec.structs.replace(sgx_section.unchecked(), tcb_statuses=frozenset({"OutOfDate"}))
    for days, wanted in ((20, []), (19, [("grace period", Reason.TCB_STATUS)])):
        assert wanted == refusals(claims, msgspec.structs.replace(open_, grace_period_days=days))
    current = claims_of(enclave)
    assert [] == refusals(current, msgspec.structs.replace(sgx_section.unchecked(), grace_period_days=0))


def test_the_lower_evaluation_number_of_both_documents_counts() -> None:
    enclave = SimulatedSgx.made(WHEN)
    identity = intel_documents.qe_identity("QE", enclave.machine.qe, WHEN, tcbEvaluationDataNumber=17)
    claims = claims_of(enclave, identity=identity)
    for number, wanted in ((17, []), (18, [("tcbEvaluationDataNumber", Reason.TCB_TOO_LOW)])):
        policy = msgspec.structs.replace(sgx_section.unchecked(), tcb_evaluation_data_number=number)
        assert wanted == refusals(claims, policy)


@pytest.mark.parametrize("smt", [True, None])
def test_hyper_threading_is_refused_where_the_certificate_does_not_deny_it(smt: bool | None) -> None:
    piid = None if smt is None else bytes(16)
    told = None if smt is None else False
    described = platform(piid=piid, smt=smt, dynamic_platform=told, cached_keys=told)
    enclave = SimulatedSgx.made(WHEN, machine=Machine.made(WHEN, 0, described=described))
    claims = claims_of(enclave)
    policy = msgspec.structs.replace(
        sgx_section.unchecked(), smt="refused", dynamic_platform="refused", cached_keys="refused"
    )
    assert [("SMT", Reason.PLATFORM_CONFIGURATION)] == refusals(claims, policy)


@pytest.mark.parametrize(
    ("flags", "features", "fine"),
    [
        ("05", [], True),
        ("01", [], True),
        ("07", [], False),
        ("07", ["Debug"], True),
        ("15", ["ProvisioningKey"], True),
        ("35", ["ProvisioningKey"], False),
        ("c5", ["CET", "KSS"], True),
        ("0d", ["CET", "Debug", "EInitKey", "KSS", "ProvisioningKey"], False),
    ],
)
def test_features_beside_init_and_64_bit_are_listed_or_refused(flags: str, features: list[str], fine: bool) -> None:
    attributes = bytes.fromhex(flags) + bytes(7) + bytes.fromhex("0300000000000000")
    claims = claims_of(SimulatedSgx.made(WHEN, attributes=attributes))
    policy = msgspec.structs.replace(sgx_section.unchecked(), debug="unchecked", features=frozenset(features))
    assert fine == (refusals(claims, policy) == [])


def test_a_td_1_0_report_has_no_service_domain() -> None:
    claims = claims_of(SimulatedTdx.made(WHEN))
    policy = msgspec.structs.replace(tdx_section.unchecked(), mrservicetd=frozenset({"00" * 48}))
    assert [] == refusals(claims, policy)


def test_a_platform_that_intel_revoked_never_gets_as_far_as_a_policy() -> None:
    enclave = SimulatedSgx.made(WHEN)
    level = intel_documents.level(3, bytes(16), 0, b"", "SGX", "Revoked", WHEN)
    info = intel_documents.tcb_info("SGX", enclave.machine.platform, bytes(16), WHEN, tcbLevels=[level])
    with pytest.raises(EnarxError):
        claims_of(enclave, info=info)
    whole = msgspec.to_builtins(sgx_section.unchecked())
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**whole, "tcb_statuses": ["Revoked"]}, sgx_section.SgxPolicy)
