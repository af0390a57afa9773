"""A Keep without a TEE: it says so, and nobody vouches for it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence.anchor import SIMULATED, Anchors
from enarx.evidence.authenticate import authenticate
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.production import production

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_it_carries_its_binding_and_says_none() -> None:
    claims = authenticate(Evidence(Kind.NONE, b"\1" * 64), NOTHING, anchors=production(), when=NOW)
    assert (claims.kind, claims.anchors, claims.bound, claims.launch) == (Kind.NONE, "none", b"\1" * 64, None)
    assert claims.debug()
    assert [c.reason for c in claims.checks] == [Reason.NO_TEE]
    assert claims.facts() == {"report_data": "01" * 64}


@pytest.mark.parametrize("size", [0, 63, 65])
def test_it_has_64_bytes(size: int) -> None:
    with pytest.raises(Malformed):
        authenticate(Evidence(Kind.NONE, bytes(size)), NOTHING, anchors=production(), when=NOW)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.NONE}))
@pytest.mark.parametrize("body", [b"", bytes(64), b"\xff" * 2000])
def test_no_kind_takes_noise_for_evidence(kind: Kind, body: bytes) -> None:
    for anchors in (production(), Anchors(SIMULATED, {})):
        with pytest.raises(EnarxError):
            authenticate(Evidence(kind, body), NOTHING, anchors=anchors, when=NOW)
