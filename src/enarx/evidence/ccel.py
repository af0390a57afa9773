# SPDX-License-Identifier: Apache-2.0
"""The event log of a trust domain (ACPI table CCEL) held against the registers of its quote.

Measurement register 0 is MRTD, which is no log's business; registers 1 to 4 are RTMR0 to RTMR3
(UEFI 2.10, section 38.4.1). What is extended by the guest itself, RTMR3 above all, may have no
event: a register without one is explained when it is zero.
"""

from __future__ import annotations

from enarx.errors import Reason
from enarx.evidence.check import Trail
from enarx.evidence.event_log import EventLog, misdescribed, replay
from enarx.evidence.tdx_report import TdReport

BANK = "sha-384"
SOURCE = "Intel TDX Virtual Firmware Design Guide, section 8"
NAMES = ("RTMR0", "RTMR1", "RTMR2", "RTMR3")


def explained(log: EventLog, domain: TdReport, trail: Trail) -> dict[str, bool]:
    """Which registers the log leads to, by name; each that it does not is a finding in `trail`.

    The finding names the register and the last event in it. `Malformed` if the log has no
    SHA-384 digests, which are the only ones that a trust domain has.
    """
    replayed = replay(log, BANK)
    for event in misdescribed(log, BANK)[:8]:
        name = f"event log: data of event {event.number} is not what was extended"
        trail.note(name, f"{event.name()}, register {event.index}", reason=Reason.EVENT_LOG_MISMATCH, source=SOURCE)
    quoted = (domain.rtmr0, domain.rtmr1, domain.rtmr2, domain.rtmr3)
    found: dict[str, bool] = {}
    for place, (name, value) in enumerate(zip(NAMES, quoted, strict=True)):
        wanted = replayed.get(place + 1, bytes(48))
        found[name] = wanted == value
        if wanted != value:
            trail.note(
                f"event log: {name} {_last(log, place + 1)}", wanted, reason=Reason.EVENT_LOG_MISMATCH, source=SOURCE
            )
    return found


def _last(log: EventLog, index: int) -> str:
    last = next((event for event in reversed(log.events) if event.index == index and event.extends()), None)
    return "without an event" if last is None else f"up to event {last.number} ({last.name()})"
