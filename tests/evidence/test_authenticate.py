"""One judge a kind, and a kind without one is found here."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime

import pytest

from enarx.errors import EnarxError
from enarx.evidence import authenticate as dispatch
from enarx.evidence.authenticate import FORMATS, authenticate
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.production import production


def test_every_kind_has_a_judge_of_the_same_shape() -> None:
    assert set(Kind) == set(FORMATS)
    shapes = {tuple(inspect.signature(dispatch._judge_of(kind)).parameters) for kind in Kind}
    assert {("evidence", "endorsements", "anchors", "when", "memory")} == shapes


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NONE])
@pytest.mark.parametrize("body", [b"", b"\0" * 64, b"\xff" * 5000])
def test_nonsense_is_refused_in_our_family(kind: Kind, body: bytes) -> None:
    with pytest.raises(EnarxError) as caught:
        authenticate(Evidence(kind, body), NOTHING, anchors=production(), when=datetime(2026, 1, 1, tzinfo=UTC))

    assert caught.value.family in ("malformed", "undetermined", "unauthentic")
