"""A trust domain's log against the registers of its quote: what is explained, and what is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from enarx.errors import Malformed, Reason
from enarx.evidence import tdx
from enarx.evidence.ccel import explained
from enarx.evidence.check import Trail
from enarx.evidence.event_log import parse
from enarx.platform.simulated.boot_log import Measurement, usual, written


def test_a_genuine_log_leads_to_every_register(evidence_dir: Path) -> None:
    folder = evidence_dir / "tdx-eventlog" / "gotdx-cos113"
    trail = Trail()
    domain = tdx.parse((folder / "quote.bin").read_bytes()).domain
    assert set(explained(parse((folder / "ccel.bin").read_bytes()), domain, trail).values()) == {True}
    assert trail.checks() == ()


def test_a_log_of_another_boot_is_refused_register_by_register(evidence_dir: Path) -> None:
    folder = evidence_dir / "tdx-eventlog" / "trustee-NEG-CCEL-mismatch"
    trail = Trail()
    domain = tdx.parse((folder / "quote.bin").read_bytes()).domain
    found = explained(parse((folder / "ccel.bin").read_bytes()), domain, trail)
    assert found == {"RTMR0": False, "RTMR1": False, "RTMR2": True, "RTMR3": True}
    assert [c.name for c in trail.checks() if c.reason is Reason.EVENT_LOG_MISMATCH] == [
        "event log: RTMR0 up to event 2 (EV_SEPARATOR)",
        "event log: RTMR1 up to event 5 (EV_PLATFORM_CONFIG_FLAGS)",
    ]


def test_a_register_that_the_guest_extended_without_an_event_is_not_explained(evidence_dir: Path) -> None:
    folder = evidence_dir / "tdx-eventlog" / "gotdx-cos113"
    domain = tdx.parse((folder / "quote.bin").read_bytes()).domain
    trail = Trail()
    empty = explained(parse(written(())), domain, trail)
    assert empty == {"RTMR0": False, "RTMR1": False, "RTMR2": False, "RTMR3": True}
    assert "event log: RTMR0 without an event" in {c.name for c in trail.checks()}


def test_data_that_was_not_extended_is_named(evidence_dir: Path) -> None:
    folder = evidence_dir / "tdx-eventlog" / "gotdx-cos113"
    domain = tdx.parse((folder / "quote.bin").read_bytes()).domain
    trail = Trail()
    explained(parse(written((Measurement(1, 4, b"said", measured=b"done"),))), domain, trail)
    assert trail.checks()[0].fact == "EV_SEPARATOR, register 1"


def test_a_log_without_sha_384_says_nothing_of_a_trust_domain(evidence_dir: Path) -> None:
    folder = evidence_dir / "tdx-eventlog" / "gotdx-cos113"
    domain = tdx.parse((folder / "quote.bin").read_bytes()).domain
    with pytest.raises(Malformed) as refused:
        explained(parse(written(usual(), ("sha-256",))), domain, Trail())
    assert refused.value.reason is Reason.MISSING
