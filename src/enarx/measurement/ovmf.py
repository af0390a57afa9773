# SPDX-License-Identifier: Apache-2.0
"""What an OVMF image says of itself: the table at its end, and the sections that a TEE's launch needs.

Sources: edk2, OvmfPkg/ResetVector (OvmfSevMetadata.asm, Ia16/ResetVectorVtf0.asm, X64/IntelTdxMetadata.asm);
Intel TDX Virtual Firmware Design Guide, section 11 (TDVF metadata).
"""

from __future__ import annotations

import struct
import uuid
from enum import IntEnum

import msgspec

from enarx.errors import Malformed, Reason

FOUR_GB = 1 << 32
_TABLE = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
HASH_TABLE = uuid.UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
RESET_BLOCK = uuid.UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
SEV_METADATA = uuid.UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
TDX_METADATA = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
_ENTRY = 18
_END = 32
"""The table ends this far before the end of the image."""


class SevSection(msgspec.Struct, frozen=True):
    """A range of guest memory that the launch fills, by type."""

    gpa: int
    size: int
    kind: int


class TdxSection(msgspec.Struct, frozen=True):
    """TDVF_SECTION: where it lies in the file, where in memory, its type and its attributes."""

    offset: int
    file_size: int
    gpa: int
    size: int
    kind: int
    attributes: int


class SevKind(IntEnum):
    """Types of SEV metadata sections."""

    MEMORY = 1
    SECRETS = 2
    CPUID = 3
    SVSM_CAA = 4
    KERNEL_HASHES = 0x10


def table(image: bytes) -> dict[uuid.UUID, bytes]:
    """The entries of the GUIDed table, read from its end."""
    end = len(image) - _END
    if end < _ENTRY or image[end - 16 : end] != _TABLE:
        raise Malformed(Reason.UNKNOWN_KIND, "OVMF: no table at the end")
    (size,) = struct.unpack_from("<H", image, end - _ENTRY)
    start, at = end - size, end - _ENTRY
    entries: dict[uuid.UUID, bytes] = {}
    while at - _ENTRY >= start >= 0:
        (length,) = struct.unpack_from("<H", image, at - _ENTRY)
        if not _ENTRY <= length <= at - start:
            raise Malformed(Reason.WRONG_LENGTH, f"OVMF: table entry at {at:#x}")
        entries[uuid.UUID(bytes_le=image[at - 16 : at])] = image[at - length : at - _ENTRY]
        at -= length
    return entries


def number(entries: dict[uuid.UUID, bytes], name: uuid.UUID, what: str) -> int:
    """The first four bytes of an entry, little-endian."""
    if len(entries.get(name, b"")) < 4:
        raise Malformed(Reason.MISSING, f"OVMF: {what}")
    return int.from_bytes(entries[name][:4], "little")


def sev_sections(image: bytes, entries: dict[uuid.UUID, bytes]) -> tuple[SevSection, ...]:
    """The SEV metadata's sections, in order."""
    at = len(image) - number(entries, SEV_METADATA, "SEV metadata")
    return tuple(SevSection(*row) for row in _rows(image, at, b"ASEV", 12, "<III"))


def tdx_sections(image: bytes, entries: dict[uuid.UUID, bytes]) -> tuple[TdxSection, ...]:
    """The TDVF metadata's sections, in order."""
    at = len(image) - number(entries, TDX_METADATA, "TDX metadata")
    return tuple(TdxSection(*row) for row in _rows(image, at, b"TDVF", 32, "<IIQQII"))


def _rows(image: bytes, at: int, signature: bytes, size: int, form: str) -> list[tuple[int, ...]]:
    try:
        found, _, version, count = struct.unpack_from("<4sIII", image, max(at, 0))
        if found != signature or version != 1 or count > 64:
            raise Malformed(Reason.UNKNOWN_VERSION, f"OVMF: {signature.decode()} metadata")
        return [struct.unpack_from(form, image, at + 16 + size * row) for row in range(count)]
    except struct.error:
        raise Malformed(Reason.TRUNCATED, f"OVMF: {signature.decode()} metadata") from None
