# SPDX-License-Identifier: Apache-2.0
"""A boot log held against quoted registers: what it explains, and where it does not.

The firmware's registers (0 to 7) change only while the log is written, so there it must lead to
the quoted value. Later ones are extended by loaders and systems that keep logs of their own; a
difference there is a finding, and the register is not among those explained.
"""

from __future__ import annotations

import msgspec

from enarx.errors import Reason
from enarx.evidence.check import Trail
from enarx.evidence.event_kinds import EV_EFI_VARIABLE_DRIVER_CONFIG
from enarx.evidence.event_log import SHA1, Event, EventLog, misdescribed, replay
from enarx.evidence.tpm_pcrs import Banks

_NOT_REPLAYED = frozenset({SHA1, "sm3-256"})
FIRMWARE = range(8)
SOURCE = "TCG PC Client Platform Firmware Profile, section 10"
SECURE_BOOT_REGISTER = 7
_GLOBAL_VARIABLE = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
"""EFI_GLOBAL_VARIABLE, as the GUID lies in memory."""


class Measurement(msgspec.Struct, frozen=True):
    """An event that was extended into a register: its type in the specification's words, and its digest."""

    register: int
    name: str
    digest: bytes


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a log explains.

    registers    that it leads to, from its first event to its last
    secure_boot  what it says of that variable, once register 7 is explained
    bank, events the bank that was compared, and what was extended into the registers explained
    """

    registers: frozenset[int] = frozenset()
    secure_boot: bool | None = None
    bank: str = ""
    events: tuple[Measurement, ...] = ()


def replayed_registers(log: EventLog, pcrs: Banks, trail: Trail) -> Replayed:
    """What the log explains of the registers.

    Raises `Unauthentic` for a firmware register that the log does not lead to, and names it with
    its last event. An event whose data is not what was extended is a finding, and its register
    is not among those explained: nothing that the log says of it is known.
    """
    bank = next((name for name in pcrs if name not in _NOT_REPLAYED and name in log.algorithms), None)
    if bank is None:
        trail.note("event log", f"not compared: no bank of {', '.join(log.algorithms)} in the register values")
        return Replayed()
    lies = _misdescribed(log, bank, trail)
    found = replay(log, bank)
    explained = frozenset(index for index, value in found.items() if pcrs[bank].get(index) == value) - lies
    for index in sorted(found.keys() & pcrs[bank].keys()):
        _compare(index, found[index], pcrs[bank][index], _last(log, index), trail)
    return Replayed(
        registers=explained,
        secure_boot=_secure_boot(log) if SECURE_BOOT_REGISTER in explained else None,
        bank=bank,
        events=tuple(
            Measurement(event.index, event.name(), event.digests[bank])
            for event in log.events
            if event.index in explained and event.extends() and bank in event.digests
        ),
    )


def _compare(index: int, replayed: bytes, quoted: bytes, last: Event, trail: Trail) -> None:
    if index in FIRMWARE:
        trail.require(
            replayed == quoted,
            Reason.EVENT_LOG_MISMATCH,
            f"event log: PCR {index} up to event {last.number} ({last.name()})",
            fact=replayed,
            expectation=quoted,
            source=SOURCE,
        )
    elif replayed != quoted:
        trail.note(f"event log: PCR {index} was extended after event {last.number} ({last.name()})", replayed)


def _last(log: EventLog, index: int) -> Event:
    return next(event for event in reversed(log.events) if event.index == index and event.extends())


def _misdescribed(log: EventLog, bank: str, trail: Trail) -> frozenset[int]:
    """The registers with an event that tells something else than was extended."""
    wrong = misdescribed(log, bank)
    for event in wrong[:8]:
        trail.note(
            f"event log: data of event {event.number} is not what was extended",
            f"{event.name()}, PCR {event.index}",
            reason=Reason.EVENT_LOG_MISMATCH,
            source=SOURCE,
        )
    if not wrong:
        trail.note("event log: data is what was extended, wherever the data itself is hashed", source=SOURCE)
    return frozenset(event.index for event in wrong)


def _secure_boot(log: EventLog) -> bool | None:
    """The SecureBoot variable as measured into register 7 (UEFI_VARIABLE_DATA), or None."""
    name = "SecureBoot".encode("utf-16-le")
    for event in log.events:
        head = _GLOBAL_VARIABLE + (len(name) // 2).to_bytes(8, "little")
        if (
            event.kind == EV_EFI_VARIABLE_DRIVER_CONFIG
            and event.index == SECURE_BOOT_REGISTER
            and event.data.startswith(head)
            and event.data[32:].startswith(name)
        ):
            return event.data[32 + len(name) :] == b"\1"
    return None
