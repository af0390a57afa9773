# SPDX-License-Identifier: Apache-2.0
"""What OVMF extends into RTMR 0 of a TDX guest that QEMU boots directly, as far as inputs tell it.

Three of the thirteen events are of ACPI tables that QEMU makes for the machine: they are known from
the log of a reference boot alone, and are named until somebody gives one.
Sources: edk2, OvmfPkg/Tcg/TdTcg2Dxe, OvmfPkg/Library/TdxHelperLib, MdePkg/Include/Pi/PiHob.h; QEMU,
hw/i386/tdvf-hob.c. Untested against hardware; the digests of the variable store and of Boot0000 agree
with those that dstack publishes for its guests.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Sequence

import msgspec

from enarx.errors import Misused, Reason, Unacceptable
from enarx.measurement import ovmf
from enarx.measurement.ovmf import TdxSection

_GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
_VARIABLES = ((_GLOBAL, "SecureBoot"), (_GLOBAL, "PK"), (_GLOBAL, "KEK"), (_SECURITY, "db"), (_SECURITY, "dbx"))
"""None is set in an image's firmware: each is measured with empty contents."""
_UI_VOLUME = uuid.UUID("7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1")
_UI_FILE = uuid.UUID("462caa21-7614-4503-836e-8ab6f4662331")
_ACTIVE_HIDDEN_APP = 0x109
"""LOAD_OPTION_ACTIVE, LOAD_OPTION_HIDDEN, LOAD_OPTION_CATEGORY_APP (UEFI 2.10, 3.1.3)."""
_CONFIGURATION, _HOB, _TEMPORARY = 1, 2, 3
"""TDVF section types CFV, TD_HOB and TempMem."""
_ACCEPTED, _UNACCEPTED = 0, 7
"""EFI_RESOURCE_SYSTEM_MEMORY and EFI_RESOURCE_MEMORY_UNACCEPTED."""
_PRESENT = 7
"""Present, initialized, tested (EFI_RESOURCE_ATTRIBUTE)."""
_SPLIT_AT, _LOW = 0xB000_0000, 0x8000_0000
"""From this much memory on, q35 puts what exceeds 2 GB above 4 GB."""


class Step(msgspec.Struct, frozen=True):
    """An event of the log: its type, the digest that is extended (None: the inputs do not tell), of what."""

    name: str
    digest: bytes | None
    of: str


def rtmr0(firmware: bytes, memory: int) -> tuple[Step, ...]:
    """The events of RTMR 0, in order. `memory` is the guest's, in bytes."""
    sections = ovmf.tdx_sections(firmware, ovmf.table(firmware))
    store = next((one for one in sections if one.kind == _CONFIGURATION), None)
    if store is None:
        raise Misused(Reason.MISSING, "OVMF: no section for variables")
    variables = firmware[store.offset : store.offset + store.file_size]
    return (
        Step("EV_EFI_HANDOFF_TABLES2", _digest(hand_off(sections, memory)), f"memory map of {memory >> 20} MB"),
        Step("EV_EFI_PLATFORM_FIRMWARE_BLOB2", _digest(variables), "firmware's variable store"),
        *(
            Step("EV_EFI_VARIABLE_DRIVER_CONFIG", _digest(_variable(guid, name)), f"variable {name}")
            for guid, name in _VARIABLES
        ),
        Step("EV_SEPARATOR", _digest(bytes(4)), "separator"),
        Step("EV_PLATFORM_CONFIG_FLAGS", None, "QEMU's ACPI table loader"),
        Step("EV_PLATFORM_CONFIG_FLAGS", None, "QEMU's ACPI root pointer"),
        Step("EV_PLATFORM_CONFIG_FLAGS", None, "QEMU's ACPI tables"),
        Step("EV_EFI_VARIABLE_BOOT", _digest(bytes(2)), "variable BootOrder"),
        Step("EV_EFI_VARIABLE_BOOT", _digest(boot_option()), "variable Boot0000"),
    )


def completed(steps: Sequence[Step], seen: Sequence[tuple[str, bytes]]) -> bytes:
    """RTMR 0 (48 bytes), with what the inputs do not tell from a reference boot's log.

    seen  type and SHA-384 digest of the log's events of this register, in order

    `Unacceptable` for a log that differs from what the inputs do tell: it is of another machine.
    """
    if len(seen) != len(steps):
        raise Unacceptable(Reason.EVENT_LOG_MISMATCH, f"reference log: {len(seen)} events, {len(steps)} are expected")
    value = bytes(48)
    for step, (name, digest) in zip(steps, seen, strict=True):
        if name != step.name or (step.digest is not None and step.digest != digest):
            raise Unacceptable(Reason.EVENT_LOG_MISMATCH, f"reference log: {step.of}")
        value = hashlib.sha384(value + digest).digest()
    return value


def hand_off(sections: Sequence[TdxSection], memory: int) -> bytes:
    """The hand-off blocks that QEMU writes for the firmware: which memory there is, and which is accepted."""
    accepted = sorted((one.gpa, one.gpa + one.size) for one in sections if one.kind in {_HOB, _TEMPORARY})
    base = next((one.gpa for one in sections if one.kind == _HOB), None)
    if base is None:
        raise Misused(Reason.MISSING, "OVMF: no section for hand-off blocks")
    low = _LOW if memory >= _SPLIT_AT else memory
    resources, at = b"", 0
    for start, end in accepted:
        if start > at:
            resources += _resource(_UNACCEPTED, at, start)
        resources += _resource(_ACCEPTED, start, end)
        at = end
    resources += _resource(_UNACCEPTED, at, low)
    if memory > low:
        resources += _resource(_UNACCEPTED, 1 << 32, (1 << 32) + memory - low)
    end = base + 56 + len(resources) + 8
    return struct.pack("<HHIII5Q", 1, 56, 0, 9, 0, 0, 0, 0, 0, end) + resources


def _resource(kind: int, start: int, end: int) -> bytes:
    return struct.pack("<HHI16xII2Q", 3, 48, 0, kind, _PRESENT, start, end - start)


def boot_option() -> bytes:
    """Boot0000, as OVMF makes it: its own menu (EFI_LOAD_OPTION, UEFI 2.10, section 3.1.3)."""
    path = _node(7, _UI_VOLUME) + _node(6, _UI_FILE) + bytes((0x7F, 0xFF, 4, 0))
    return struct.pack("<IH", _ACTIVE_HIDDEN_APP, len(path)) + "UiApp\0".encode("utf-16-le") + path


def _node(kind: int, guid: uuid.UUID) -> bytes:
    """A media device path node of a firmware volume (7) or a file in it (6)."""
    return struct.pack("<BBH", 4, kind, 20) + guid.bytes_le


def _variable(guid: uuid.UUID, name: str) -> bytes:
    """UEFI_VARIABLE_DATA of a variable that is not set."""
    return guid.bytes_le + struct.pack("<QQ", len(name), 0) + name.encode("utf-16-le")


def _digest(body: bytes) -> bytes:
    return hashlib.sha384(body).digest()
