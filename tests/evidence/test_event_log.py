"""The boot log: read strictly, replayed, and held against what firmware says it measured."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.errors import Malformed, Reason
from enarx.evidence.event_log import NO_REGISTER, misdescribed, parse, replay, startup_locality
from enarx.platform.simulated.boot_log import Measurement, registers, secure_boot, usual, written

LOG = written(usual())
SPEC_END = 8 + 20 + 4 + len(b"Spec ID Event03\0") + 8 + 4 + 3 * 4 + 1


def reason_of(raw: bytes) -> Reason:
    with pytest.raises(Malformed) as refused:
        parse(raw)
    return refused.value.reason


def test_a_log_replays_to_the_registers_of_its_boot() -> None:
    log = parse(LOG)
    assert log.algorithms == ("sha-1", "sha-256", "sha-384")
    assert [event.number for event in log.events] == list(range(len(log.events)))
    separator = hashlib.sha256(bytes(4)).digest()
    assert replay(log, "sha-256")[5] == hashlib.sha256(bytes(32) + separator).digest()


def test_register_0_begins_with_the_startup_locality() -> None:
    log = parse(LOG)
    assert startup_locality(log) == 3
    version = hashlib.sha256("simulated".encode("utf-16-le")).digest()
    value = hashlib.sha256(bytes(31) + b"\3" + version).digest()
    assert replay(log, "sha-256")[0] == hashlib.sha256(value + hashlib.sha256(bytes(4)).digest()).digest()


def test_an_h_crtm_event_means_locality_4_and_a_late_locality_event_means_nothing() -> None:
    assert startup_locality(parse(written((Measurement(0, 0x8000_0010, b"HCRTM"),)))) == 4
    late = (Measurement(0, 4, bytes(4)), Measurement(0, 3, b"StartupLocality\0\3"))
    assert startup_locality(parse(written(late))) == 0


def test_events_that_change_no_register_are_kept_and_not_extended() -> None:
    log = parse(written((Measurement(1, 3, b"note"), Measurement(NO_REGISTER, 3, b"note"))))
    assert len(log.events) == 3
    assert replay(log, "sha-256") == {}


def test_unknown_types_are_kept_and_extended() -> None:
    log = parse(written((Measurement(9, 0xBEEF, b"x"),)))
    assert log.events[1].name() == "type 0x0000beef"
    assert set(replay(log, "sha-384")) == {9}


@pytest.mark.parametrize("padding", [b"", b"\0" * 99, b"\xff" * 99, b"\0" * 9 + b"\xff" * 90, b"\xff" * 9 + b"\0" * 90])
def test_padding_ends_the_log(padding: bytes) -> None:
    assert len(parse(LOG + padding).events) == len(parse(LOG).events)


def test_data_that_is_not_what_was_extended_is_named() -> None:
    lies = (Measurement(7, 0x8000_0001, secure_boot(on=True).data, measured=secure_boot(on=False).data),)
    assert [event.number for event in misdescribed(parse(written(lies)), "sha-256")] == [1]
    assert misdescribed(parse(LOG), "sha-256") == ()


def test_a_log_of_the_old_format_holds_sha_1_only() -> None:
    old = struct.pack("<II", 4, 13) + b"\1" * 20 + struct.pack("<I", 3) + b"abc"
    log = parse(old)
    assert log.algorithms == ("sha-1",)
    with pytest.raises(Malformed):
        replay(log, "sha-256")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.TRUNCATED),
        (LOG[:SPEC_END] + b"\1", Reason.TRUNCATED),
        (LOG[:-1], Reason.TRUNCATED),
        (LOG + b"\1", Reason.TRUNCATED),
        (LOG[:8] + b"\1" + LOG[9:], Reason.RESERVED_NOT_ZERO),
        (LOG[:SPEC_END] + struct.pack("<III", 0, 4, 4), Reason.INCONSISTENT),
        (LOG[:SPEC_END] + struct.pack("<III", 0, 4, 0) + struct.pack("<I", 0), Reason.INCONSISTENT),
        (LOG[:SPEC_END] + struct.pack("<IIIH", 0, 4, 1, 0x0D), Reason.INCONSISTENT),
        (LOG[:SPEC_END] + struct.pack("<III", 0, 4, 2) + (b"\4\0" + bytes(20)) * 2, Reason.INCONSISTENT),
        (LOG[:SPEC_END] + struct.pack("<IIII", 0, 3, 0, 1 << 30), Reason.TOO_LARGE),
        (b"\0" * (16 << 20) + b"\0", Reason.TOO_LARGE),
    ],
    ids=str,
)
def test_a_log_of_another_shape_is_malformed(raw: bytes, reason: Reason) -> None:
    assert reason_of(raw) is reason


@pytest.mark.parametrize(
    ("algorithms", "reason"),
    [
        (b"", Reason.UNKNOWN_VALUE),
        (b"\x0b\0\x20\0" * 2, Reason.DUPLICATE),
        (b"\x0b\0\x21\0", Reason.WRONG_LENGTH),
        (b"\x77\0\xff\0", Reason.WRONG_LENGTH),
        (b"\x0b\0\x20\0" * 17, Reason.UNKNOWN_VALUE),
    ],
    ids=str,
)
def test_a_spec_id_event_announces_each_algorithm_once(algorithms: bytes, reason: Reason) -> None:
    data = b"Spec ID Event03\0" + bytes(8) + struct.pack("<I", len(algorithms) // 4) + algorithms + b"\0"
    assert reason_of(struct.pack("<II", 0, 3) + bytes(20) + struct.pack("<I", len(data)) + data) is reason


def test_every_bank_of_the_simulated_boot_has_24_registers() -> None:
    assert [len(registers(LOG, bank)) for bank in ("sha-1", "sha-256", "sha-384")] == [24, 24, 24]


@given(st.binary(max_size=200), st.integers(0, len(LOG)))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_bytes_are_a_log_or_malformed(raw: bytes, at: int) -> None:
    for one in (raw, LOG[:at] + raw, LOG[:SPEC_END] + raw):
        try:
            log = parse(one)
            replay(log, "sha-256")
            misdescribed(log, "sha-256")
        except Malformed:
            continue


def test_a_log_that_fills_its_area_is_read_in_one_pass() -> None:
    event = LOG[SPEC_END : SPEC_END + 12]
    assert event[:4] == bytes(4)  # register 0 looks like padding at its first byte
    many = written(tuple(Measurement(0, 4, bytes(4)) for _ in range(3000)))
    assert len(parse(many + bytes(1 << 20)).events) == 3001
