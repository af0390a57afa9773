"""The parts of a service that need no socket."""

from __future__ import annotations

import pytest

from enarx.errors import FAMILIES, Faulty, Malformed, Reason, Undetermined
from enarx.web import problem
from enarx.web.answers import require_media
from enarx.web.limits import Buckets
from enarx.web.log import logger


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    buckets = Buckets(2.0, 3)
    assert [buckets.wait("a", 10.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.wait("b", 10.0) == 0.0
    assert buckets.wait("a", 10.5) == 0.0
    assert buckets.wait("a", 10.5) > 0


def test_buckets_are_kept_for_a_bounded_number_of_clients() -> None:
    buckets = Buckets(1.0, 1, size=10)
    for number in range(1000):
        buckets.wait(str(number), 0.0)
    assert len(buckets) == 10


def test_every_reason_of_every_family_has_a_status() -> None:
    for family in FAMILIES:
        for reason in Reason:
            status = problem.status_of(family(reason))
            assert (status == 500) == (family is Faulty)
            assert 400 <= status < 600


def test_our_own_fault_keeps_its_details() -> None:
    said = problem.of(Faulty(Reason.INTERNAL, "key at 0x1234", hint="look there"))
    assert (said.detail, said.hint) == ("", "")


def test_a_long_detail_is_cut() -> None:
    assert len(problem.of(Malformed(Reason.SYNTAX, "x" * 10000)).detail) == 501


def test_could_not_find_out_is_no_refusal() -> None:
    assert problem.status_of(Undetermined(Reason.COLLATERAL_MISSING)) == 422
    assert problem.status_of(Undetermined(Reason.UNREACHABLE)) == 503


@pytest.mark.parametrize(
    "said", ["application/json", "APPLICATION/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_in_utf8_is_taken(said: str) -> None:
    require_media(said, ("application/json",))


def test_a_log_line_drops_every_field_that_is_not_listed(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    import sys

    logger("x").info("request", status=200, nonce="6e6f6e6365", token="secret", key=b"secret")
    sys.stderr.flush()
    said = capfdbinary.readouterr().err
    assert b'"status":200' in said
    assert b"6e6f6e6365" not in said
    assert b"secret" not in said
