"""The simulated SNP platform: AMD's format, under a root that says what it is."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enarx.codec.x509 import Certificate
from enarx.errors import Unauthentic
from enarx.evidence.authenticate import authenticate
from enarx.evidence.envelope import Evidence
from enarx.evidence.production import production
from enarx.evidence.snp import SnpClaims
from enarx.platform.simulated.snp import SimulatedSnp

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CHIP = SimulatedSnp.made(NOW, measurement=b"\1" * 48, host_data=b"\2" * 32)


def test_its_root_says_that_it_is_simulated() -> None:
    assert "Enarx simulated TEE, not AMD" in Certificate(CHIP.root).name.replace("\\", "")


def test_evidence_is_over_what_the_guest_gives_and_what_was_launched() -> None:
    evidence, given = CHIP.evidence(b"\3" * 64)
    claims = authenticate(evidence, given, anchors=CHIP.anchors(), when=NOW)
    assert isinstance(claims, SnpClaims)
    assert (claims.bound, claims.launch, claims.report.measurement) == (b"\3" * 64, b"\2" * 32, b"\1" * 48)
    assert claims.anchors == "simulated"


def test_production_never_believes_it() -> None:
    evidence, given = CHIP.evidence(b"")
    with pytest.raises(Unauthentic):
        authenticate(evidence, given, anchors=production(), when=NOW)


def test_another_guest_on_the_same_chip() -> None:
    other = CHIP.launched(host_data=b"\4" * 32)
    evidence, given = other.evidence(b"")
    claims = authenticate(evidence, given, anchors=CHIP.anchors(), when=NOW)
    assert claims.launch == b"\4" * 32
    assert CHIP.fields.host_data == b"\2" * 32


def test_a_chip_is_kept_in_files_that_only_its_owner_reads(tmp_path: Path) -> None:
    CHIP.to_files(tmp_path)
    assert stat.S_IMODE((tmp_path / "chip.key").stat().st_mode) == 0o600
    again = SimulatedSnp.from_files(tmp_path)
    assert (again.root, again.certificates, again.fields) == (CHIP.root, CHIP.certificates, CHIP.fields)
    evidence, given = again.evidence(b"x")
    assert authenticate(evidence, given, anchors=CHIP.anchors(), when=NOW).bound == b"x".ljust(64, b"\0")


def test_a_report_that_was_changed_can_be_signed_anew() -> None:
    raw = bytearray(CHIP.report(b""))
    raw[0x90] ^= 1
    with pytest.raises(Unauthentic):
        authenticate(Evidence(CHIP.kind, bytes(raw)), CHIP.endorsements(), anchors=CHIP.anchors(), when=NOW)
    again = CHIP.signed(bytes(raw))
    authenticate(Evidence(CHIP.kind, again), CHIP.endorsements(), anchors=CHIP.anchors(), when=NOW)
