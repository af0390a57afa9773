"""SGX quotes: what is believed of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from enarx.cli.vectors.descriptor import Vector
from enarx.cli.vectors.intel import judge
from enarx.errors import EnarxError, Reason, Unauthentic
from enarx.evidence import sgx
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Verdict
from enarx.evidence.production import production
from enarx.platform.simulated import intel_documents
from enarx.platform.simulated.sgx import SimulatedSgx
from tests.evidence.intel_world import FORMATS, capture, files_of

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_capture_is_judged_as_described_with_every_status_and_claim(evidence_dir: Path, kind: str) -> None:
    """Statuses and claims are compared for refused captures too: the judge sees them before it says no."""
    cases = 0
    for path in sorted((evidence_dir / kind).glob("*/vector.json")):
        files = files_of(path.parent)
        vector = msgspec.json.decode(files["vector.json"], type=Vector)
        for case in vector.cases:
            cases += 1
            found = judge(vector, case, files, production=production())
            assert found.verdict in (case.families or (case.verdict,)), (vector.name, found)
            if case.tcb is not None:
                assert case.tcb == found.tcb, vector.name
            if case.verdict == "authentic":
                assert case.debug == found.debug
                assert case.tcb_evaluation_data_number == found.tcb_evaluation_data_number
                assert case.tcb_info_version == found.tcb_info_version
            wrong = {name for name, value in vector.claims.items() if found.claims.get(name) != value}
            assert wrong <= ({"pcesvn", "fmspc", "pceid", "ppid"} if "NEG" in vector.name else set()), vector.name
    assert cases >= 50


def test_a_capture_judged_today_is_out_of_date(evidence_dir: Path) -> None:
    old = capture(evidence_dir, "sgx", "phala-sgx-v3")
    with pytest.raises(EnarxError) as refused:
        old.judge(when=datetime(2026, 11, 1, tzinfo=UTC))
    assert Reason.EXPIRED is refused.value.reason


def test_claims_say_what_the_enclave_is_and_how_current_its_platform() -> None:
    enclave = SimulatedSgx.made(WHEN, mrenclave=b"\1" * 32, config_id=b"\2" * 64, isvsvn=3)
    evidence, endorsements = enclave.evidence(b"bound")
    claims = authenticate(evidence, endorsements, anchors=enclave.anchors(), when=WHEN)
    assert isinstance(claims, sgx.SgxClaims)
    assert b"bound".ljust(64, b"\0") == claims.bound
    assert b"\2" * 64 == claims.launch
    facts = claims.facts()
    assert ("01" * 32, 3, 3, "UpToDate") == (facts["mrenclave"], facts["isvsvn"], facts["version"], facts["tcb_status"])
    assert msgspec.json.encode(facts)
    assert not claims.debug()


def test_debug_is_the_attribute_of_that_name() -> None:
    enclave = SimulatedSgx.made(WHEN, attributes=bytes.fromhex("0700000000000000e700000000000000"))
    evidence, endorsements = enclave.evidence(b"")
    assert authenticate(evidence, endorsements, anchors=enclave.anchors(), when=WHEN).debug()


def test_a_platform_below_every_level_is_refused_and_the_checks_say_where_it_stands() -> None:
    enclave = SimulatedSgx.made(WHEN)
    described = enclave.machine.platform
    level = intel_documents.level(3, b"\xff" * 16, 0, b"", "SGX", "UpToDate", WHEN)
    info = intel_documents.tcb_info("SGX", described, bytes(16), WHEN, tcbLevels=[level])
    report = sgx.parse(enclave.quote(b""))
    with pytest.raises(Unauthentic) as refused:
        sgx.authenticate(report, enclave.endorsements(info=info), anchors=enclave.anchors(), when=WHEN)
    assert Reason.TCB_STATUS is refused.value.reason
    noted = {c.name: c.fact for c in refused.value.checks if c.verdict is Verdict.NOTED}
    assert ("NotSupported", "UpToDate") == (noted["TCB status: platform"], noted["TCB status: QE"])


@pytest.mark.parametrize("part", ["platform", "qe"])
def test_a_revoked_level_is_refused_whatever_a_policy_says(part: str) -> None:
    enclave = SimulatedSgx.made(WHEN)
    machine = enclave.machine
    level = intel_documents.level(3, bytes(16), 0, b"", "SGX", "Revoked", WHEN)
    info = intel_documents.tcb_info("SGX", machine.platform, bytes(16), WHEN, tcbLevels=[level])
    identity = intel_documents.qe_identity(
        "QE", machine.qe, WHEN, tcbLevels=[intel_documents.isv_level(0, "Revoked", WHEN)]
    )
    given = enclave.endorsements(info=info) if part == "platform" else enclave.endorsements(identity=identity)
    with pytest.raises(Unauthentic) as refused:
        sgx.authenticate(sgx.parse(enclave.quote(b"")), given, anchors=enclave.anchors(), when=WHEN)
    assert Reason.REVOKED is refused.value.reason


def test_version_2_of_the_tcb_info_is_read_for_sgx() -> None:
    enclave = SimulatedSgx.made(WHEN)
    info = intel_documents.tcb_info("SGX", enclave.machine.platform, bytes(16), WHEN, version=2)
    report = sgx.parse(enclave.quote(b""))
    claims = sgx.authenticate(report, enclave.endorsements(info=info), anchors=enclave.anchors(), when=WHEN)
    assert (2, "UpToDate") == (claims.tcb_info_version, claims.standing.merged)
