# SPDX-License-Identifier: Apache-2.0
"""The measured-boot event log (TCG PC Client Platform Firmware Profile 1.06, section 10).

The first event of a crypto-agile log names its algorithms; a log without one is of the old
format and holds SHA-1, which explains no register that counts. A log is signed by nobody; what
it says is worth something once `replay` leads to registers that a quote vouches for.
"""

from __future__ import annotations

import hashlib

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason
from enarx.evidence.event_kinds import EV_EFI_HCRTM_EVENT, EV_NO_ACTION, HASHED, NAMES

MAX_BYTES = 16 << 20
MAX_EVENTS = 65_536
MAX_EVENT = 4 << 20
NO_REGISTER = 0xFFFF_FFFF
"""The index of events that belong to no register (seen in CCEL)."""

SHA1 = "sha-1"
ALGORITHMS = {
    0x0004: SHA1,
    0x000B: "sha-256",
    0x000C: "sha-384",
    0x000D: "sha-512",
    0x0012: "sm3-256",
    0x0027: "sha3-256",
    0x0028: "sha3-384",
    0x0029: "sha3-512",
}
"""TPM_ALG_ID (TCG Algorithm Registry) to the name used here."""
SIZES = {
    SHA1: 20,
    "sha-256": 32,
    "sha-384": 48,
    "sha-512": 64,
    "sm3-256": 32,
    "sha3-256": 32,
    "sha3-384": 48,
    "sha3-512": 64,
}

_SPEC_ID = b"Spec ID Event03\0"
_LOCALITY = b"StartupLocality\0"


class Event(msgspec.Struct, frozen=True):
    """One measurement as the log tells it.

    number  its place in the log, the Spec ID event being 0
    index   the register (PCR; in a CCEL the measurement register), or NO_REGISTER
    kind    its type; unknown ones are kept
    digests algorithm to the digest that was extended
    data    what the firmware says it measured
    """

    number: int
    index: int
    kind: int
    digests: dict[str, bytes]
    data: bytes

    def name(self) -> str:
        """The type in the specification's words."""
        return NAMES.get(self.kind, f"type {self.kind:#010x}")

    def extends(self) -> bool:
        """Whether it changed a register: EV_NO_ACTION never does (section 10.4.5)."""
        return self.kind != EV_NO_ACTION and self.index != NO_REGISTER


class EventLog(msgspec.Struct, frozen=True):
    """A log as received: `algorithms` from its first event, then the events."""

    raw: bytes
    algorithms: tuple[str, ...]
    events: tuple[Event, ...]


def parse(raw: bytes) -> EventLog:
    """A log, to its end or to the padding of the area that it lies in.

    Padding is zeros, or bytes of 0xFF, up to the end. Every event of a crypto-agile log
    has exactly the digests that the first one announced.
    """
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"event log: {len(raw)} bytes, at most {MAX_BYTES}")
    cursor = Cursor(raw, "event log")
    first = _old_event(cursor, 0)
    if first.kind != EV_NO_ACTION or not first.data.startswith(_SPEC_ID):
        return _old(cursor, first)
    announced = _announced(first)
    names = {number: ALGORITHMS.get(number, f"algorithm {number:#06x}") for number in announced}
    events = [msgspec.structs.replace(first, digests={})]
    end = _end(raw)
    while cursor.at < end:
        if len(events) == MAX_EVENTS:
            raise Malformed(Reason.TOO_LARGE, f"event log: more than {MAX_EVENTS} events")
        events.append(_event(cursor, len(events), announced, names))
    return EventLog(raw, tuple(names.values()), tuple(events))


def _old(cursor: Cursor, first: Event) -> EventLog:
    """The rest of a log in the format of TPM 1.2 (TCG_PCR_EVENT), which holds SHA-1 only."""
    events = [first]
    end = _end(cursor.raw)
    while cursor.at < end:
        if len(events) == MAX_EVENTS:
            raise Malformed(Reason.TOO_LARGE, f"event log: more than {MAX_EVENTS} events")
        events.append(_old_event(cursor, len(events)))
    return EventLog(cursor.raw, (SHA1,), tuple(events))


def _old_event(cursor: Cursor, number: int) -> Event:
    index, kind = cursor.little(4, "pcrIndex"), cursor.little(4, "eventType")
    digest = cursor.take(20, "digest")
    return Event(number, index, kind, {SHA1: digest}, _data(cursor))


def _announced(first: Event) -> dict[int, int]:
    """The digest size of each algorithm in the Spec ID event (section 10.4.5.1)."""
    if any(first.digests[SHA1]):
        raise Malformed(Reason.RESERVED_NOT_ZERO, "event log: digest of the Spec ID event")
    reader = Cursor(first.data, "Spec ID event")
    reader.take(len(_SPEC_ID), "signature")
    reader.take(8, "platformClass, versions, uintnSize")
    count = reader.little(4, "numberOfAlgorithms")
    if not 1 <= count <= 16:
        raise Malformed(Reason.UNKNOWN_VALUE, f"Spec ID event: {count} algorithms")
    announced: dict[int, int] = {}
    for _ in range(count):
        number, size = reader.little(2, "algorithmId"), reader.little(2, "digestSize")
        _require_size(number, size)
        if number in announced:
            raise Malformed(Reason.DUPLICATE, f"Spec ID event: algorithm {number:#06x}")
        announced[number] = size
    reader.take(reader.little(1, "vendorInfoSize"), "vendorInfo")
    reader.done()
    return announced


def _require_size(number: int, size: int) -> None:
    known = SIZES.get(ALGORITHMS.get(number, ""))
    if (known is not None and size != known) or not 16 <= size <= 128:
        raise Malformed(Reason.WRONG_LENGTH, f"Spec ID event: digests of {size} bytes for algorithm {number:#06x}")


def _end(raw: bytes) -> int:
    """Where the padding may begin: zeros and bytes of 0xFF, up to the end of the area.

    No event has only such bytes: its digests are hashes. The data of the last event may end in such bytes too; then the reader is past this place
    when it has read that event.
    """
    return len(raw.rstrip(b"\0\xff"))


def _event(cursor: Cursor, number: int, announced: dict[int, int], names: dict[int, str]) -> Event:
    index, kind = cursor.little(4, "pcrIndex"), cursor.little(4, "eventType")
    count = cursor.little(4, "digests.count")
    if count > len(announced):
        raise Malformed(Reason.INCONSISTENT, f"event log: event {number} has {count} digests")
    digests: dict[str, bytes] = {}
    for _ in range(count):
        algorithm = cursor.little(2, "digests.hashAlg")
        if algorithm not in announced or names[algorithm] in digests:
            raise Malformed(Reason.INCONSISTENT, f"event log: event {number} has a digest of {algorithm:#06x}")
        digests[names[algorithm]] = cursor.take(announced[algorithm], "digests.digest")
    event = Event(number, index, kind, digests, _data(cursor))
    if event.extends() and count != len(announced):
        raise Malformed(
            Reason.INCONSISTENT, f"event log: event {number} has {count} digests, expected {len(announced)}"
        )
    return event


def _data(cursor: Cursor) -> bytes:
    size = cursor.little(4, "eventSize")
    if size > MAX_EVENT:
        raise Malformed(Reason.TOO_LARGE, f"event log: event of {size} bytes")
    return cursor.take(size, "event")


def replay(log: EventLog, algorithm: str) -> dict[int, bytes]:
    """The registers that the log leads to, index to value, in one bank ("sha-256", "sha-384", …).

    Registers that no event names are not in it. `Malformed` if the log has no such digests.
    """
    if algorithm not in log.algorithms or algorithm not in SIZES or algorithm == "sm3-256":
        raise Malformed(Reason.MISSING, f"event log: digests of {algorithm}")
    registers: dict[int, bytes] = {}
    hash_name = algorithm.replace("sha3-", "sha3_").replace("sha-", "sha")
    size = SIZES[algorithm]
    for event in log.events:
        if event.extends():
            value = registers.get(event.index) or _initial(log, event.index, size)
            registers[event.index] = hashlib.new(hash_name, value + event.digests[algorithm]).digest()
    return registers


def _initial(log: EventLog, index: int, size: int) -> bytes:
    """Zero; PCR 0 begins with the locality from which the TPM was started (section 10.4.5.3)."""
    return bytes(size - 1) + bytes([startup_locality(log) if index == 0 else 0])


def startup_locality(log: EventLog) -> int:
    """From the StartupLocality event, or 4 where the firmware measured an H-CRTM, else 0."""
    for event in log.events:
        if event.extends() and event.index == 0:
            return 4 if event.kind == EV_EFI_HCRTM_EVENT else 0
        if event.kind == EV_NO_ACTION and event.data.startswith(_LOCALITY) and len(event.data) == len(_LOCALITY) + 1:
            return event.data[-1]
    return 0


def misdescribed(log: EventLog, algorithm: str) -> tuple[Event, ...]:
    """Events whose data is not what was extended, among the types that extend their own data."""
    hash_name = algorithm.replace("sha3-", "sha3_").replace("sha-", "sha")
    return tuple(
        event
        for event in log.events
        if event.kind in HASHED
        and event.extends()
        and event.digests[algorithm] != hashlib.new(hash_name, event.data).digest()
    )
