"""The intermediate that AMD really revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from enarx.codec.x509 import Certificate
from enarx.errors import Reason, Unauthentic
from enarx.evidence.amd_chain import authenticate_intermediate
from enarx.evidence.anchor import Vendor
from enarx.evidence.check import Trail
from enarx.evidence.production import production
from tests.evidence.snp_world import authority

WHEN = datetime(2022, 12, 1, tzinfo=UTC)


def _judged(evidence_dir: Path, name: str, crls: tuple[bytes, ...]) -> Trail:
    trail = Trail()
    ask = Certificate(authority(evidence_dir, name))
    roots = production().of(Vendor.AMD)
    authenticate_intermediate(ask, (), crls, roots=roots, when=WHEN, trail=trail)
    return trail


def _crl(evidence_dir: Path) -> bytes:
    return (evidence_dir / "_amd_ca" / "ARK-Genoa-crl-2022-10-31_2023-10-31.der").read_bytes()


@pytest.mark.parametrize("with_crl", [True, False])
def test_genoas_intermediate_0x20001_is_revoked(evidence_dir: Path, with_crl: bool) -> None:
    crls = (_crl(evidence_dir),) if with_crl else ()
    with pytest.raises(Unauthentic) as caught:
        _judged(evidence_dir, "SEV-Genoa-REVOKED-0x20001.pem", crls)
    assert caught.value.reason == Reason.REVOKED
    assert "0x20001" in caught.value.subject


def test_its_successor_is_not(evidence_dir: Path) -> None:
    trail = _judged(evidence_dir, "SEV-Genoa.pem", (_crl(evidence_dir),))
    assert [c for c in trail.checks() if c.reason] == []
