"""TDX quotes: what is believed of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.digest import sha256
from enarx.errors import Malformed, Reason, Unauthentic
from enarx.evidence import intel_signature, tdx
from enarx.evidence.authenticate import authenticate
from enarx.evidence.check import Check, Verdict
from enarx.evidence.envelope import Evidence
from enarx.evidence.event_kinds import EV_SEPARATOR
from enarx.evidence.event_log import parse, replay
from enarx.evidence.intel_tcb_status import TcbStatus
from enarx.evidence.kind import Kind
from enarx.platform.simulated import intel_pki
from enarx.platform.simulated.boot_log import Measurement, written
from enarx.platform.simulated.intel_quote import enclave
from enarx.platform.simulated.tdx import SimulatedTdx
from tests.evidence.intel_world import capture

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
DOMAIN = SimulatedTdx.made(WHEN)
GIVEN = DOMAIN.endorsements()


def judge(quote: bytes) -> tdx.TdxClaims:
    return tdx.authenticate(tdx.parse(quote), GIVEN, anchors=DOMAIN.anchors(), when=WHEN)


def reason_of(quote: bytes) -> Reason:
    with pytest.raises(Unauthentic) as refused:
        judge(quote)
    return refused.value.reason


def findings(claims: tdx.TdxClaims) -> dict[str, Check]:
    return {c.name: c for c in claims.checks if c.verdict is Verdict.NOTED and c.reason is not None}


def test_claims_say_what_the_domain_is_and_how_current_its_platform() -> None:
    domain = SimulatedTdx.made(WHEN, mrtd=b"\1" * 48, mrconfigid=b"\2" * 48)
    evidence, endorsements = domain.evidence(b"bound")
    claims = authenticate(evidence, endorsements, anchors=domain.anchors(), when=WHEN)
    assert isinstance(claims, tdx.TdxClaims)
    assert (b"bound".ljust(64, b"\0"), b"\2" * 48) == (claims.bound, claims.launch)
    facts = claims.facts()
    assert ("01" * 48, "UpToDate", "sapphire-rapids") == (facts["mrtd"], facts["tcb_status"], facts["generation"])
    assert msgspec.json.encode(facts)


def test_the_same_quote_is_current_under_one_recovery_and_outdated_under_the_next(evidence_dir: Path) -> None:
    later = capture(evidence_dir, "tdx", "near-2025-08", 0).judge()
    before = capture(evidence_dir, "tdx", "near-2025-08", 1).judge()
    assert (20, TcbStatus.OUT_OF_DATE) == (later.tcb_evaluation_data_number, later.standing.merged)
    assert (19, TcbStatus.UP_TO_DATE) == (before.tcb_evaluation_data_number, before.standing.merged)


def test_an_outdated_platform_is_outdated_also_where_its_module_is_not(evidence_dir: Path) -> None:
    claims = capture(evidence_dir, "tdx", "automata-tdx-v4").judge()
    found = claims.standing
    assert ("OutOfDate", "UpToDate", "OutOfDate") == (found.platform, found.tdx_module, found.merged)
    assert {"TCB status: platform", "advisories"} <= set(findings(claims))


@pytest.mark.parametrize("bit", range(8))
def test_every_bit_of_the_group_under_debug_is_debug(bit: int) -> None:
    attributes = (1 << 28 | 1 << bit).to_bytes(8, "little")
    assert judge(DOMAIN.quote(b"", td_attributes=attributes)).debug()
    assert not judge(DOMAIN.quote(b"")).debug()


def test_what_a_policy_may_want_to_look_at_is_a_finding() -> None:
    assert "SEPT_VE_DISABLE" in findings(judge(DOMAIN.quote(b"", td_attributes=bytes(8))))
    assert "MRSERVICETD" in findings(judge(DOMAIN.quote(b"", version=5, mrservicetd=b"\1" * 48)))
    assert {} == findings(judge(DOMAIN.quote(b"", version=5)))


def with_log(log: bytes, **registers: bytes) -> tdx.TdxClaims:
    """Claims of a domain with these registers, the log beside its quote."""
    evidence = Evidence(Kind.TDX, DOMAIN.quote(b"", **registers), {"event_log": log})
    return tdx.judge(evidence, GIVEN, anchors=DOMAIN.anchors(), when=WHEN)


def test_a_boot_log_beside_a_quote_is_held_against_its_registers() -> None:
    log = written((Measurement(1, EV_SEPARATOR, bytes(4)), Measurement(2, EV_SEPARATOR, bytes(4))), ("sha-384",))
    reached = replay(parse(log), "sha-384")
    explained = with_log(log, rtmr0=reached[1], rtmr1=reached[2])
    assert explained.replayed == {"RTMR0", "RTMR1", "RTMR2", "RTMR3"}
    changed = with_log(log, rtmr0=reached[1], rtmr1=b"\1" * 48)
    assert changed.replayed == {"RTMR0", "RTMR2", "RTMR3"}
    assert "event log: RTMR1 up to event 2 (EV_SEPARATOR)" in findings(changed)
    assert judge(DOMAIN.quote(b"")).replayed is None


@pytest.mark.parametrize("kind", [Kind.TDX, Kind.SGX, Kind.NITRO])
def test_a_part_that_nobody_reads_is_malformed(kind: Kind) -> None:
    evidence = Evidence(kind, DOMAIN.quote(b""), {"more": b""})
    with pytest.raises(Malformed) as refused:
        authenticate(evidence, GIVEN, anchors=DOMAIN.anchors(), when=WHEN)
    assert refused.value.reason is Reason.UNKNOWN_KEY


def replaced(**fields: object) -> bytes:
    """A quote by the same machine with parts of its quoting enclave exchanged."""
    other = SimulatedTdx(msgspec.structs.replace(DOMAIN.machine, **fields), WHEN, DOMAIN.fields)
    return other.quote(b"")


def test_the_quoting_enclave_vouches_for_the_attestation_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    machine = DOMAIN.machine
    assert Reason.KEY_NOT_BOUND is reason_of(replaced(attestation_key=key))
    assert Reason.KEY_NOT_BOUND is reason_of(replaced(auth_data=b"other"))
    good = sha256(intel_pki.coordinates(machine.attestation_key) + machine.auth_data)
    half = msgspec.structs.replace(machine.qe, report_data=good + b"\1" * 32)
    fields = {name: getattr(half, name) for name in half.__struct_fields__ if name != "raw"}
    assert Reason.KEY_NOT_BOUND is reason_of(replaced(qe=enclave(**fields)))
    assert Reason.SIGNATURE_INVALID is reason_of(replaced(pck_key=key))


def test_an_attestation_key_that_is_no_point_is_refused() -> None:
    quote = DOMAIN.quote(b"")
    assert Reason.KEY_NOT_BOUND is reason_of(quote[:700] + b"\1" * 64 + quote[764:])
    assert intel_signature.point(b"\1" * 64) is None
    assert not intel_signature.verifies(None, bytes(64), b"")


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, bytes(63) + b"\1", b"\1" * 32 + bytes(32)])
def test_signatures_out_of_range_are_refused(signature: bytes) -> None:
    quote = DOMAIN.quote(b"")
    assert Reason.SIGNATURE_INVALID is reason_of(quote[:636] + signature + quote[700:])


def test_a_later_module_than_at_launch_advises_a_relaunch() -> None:
    svn = DOMAIN.fields["tee_tcb_svn"]
    older = bytes((1,)) + svn[1:]
    claims = judge(DOMAIN.quote(b"", version=5, tee_tcb_svn=older))
    found = claims.standing
    assert ("UpToDate", "OutOfDate", "TDRelaunchAdvised") == (found.platform, found.tdx_module, found.merged)
    assert TcbStatus.OUT_OF_DATE is judge(DOMAIN.quote(b"", version=5, td="1.0", tee_tcb_svn=older)).standing.merged
