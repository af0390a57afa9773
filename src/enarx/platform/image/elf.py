# SPDX-License-Identifier: Apache-2.0
"""What an ELF file needs to be loaded: its DT_NEEDED entries and its interpreter (ELF gABI, 64 bit, little endian)."""

from __future__ import annotations

import struct

from enarx.errors import Malformed, Reason

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NEEDED, _DT_STRTAB = 1, 5


def is_elf(raw: bytes) -> bool:
    """Whether the bytes begin as an ELF file does."""
    return raw[:4] == b"\x7fELF"


def needed(raw: bytes) -> tuple[str, ...]:
    """The shared libraries that a file names, in order."""
    headers = _headers(raw)
    try:
        loads = [(at, virtual, length) for kind, at, virtual, length in headers if kind == _PT_LOAD]
        names: list[int] = []
        strings = 0
        for kind, at, _, length in headers:
            if kind != _PT_DYNAMIC:
                continue
            for tag, value in struct.iter_unpack("<QQ", raw[at : at + length]):
                if tag == _DT_NEEDED:
                    names.append(value)
                elif tag == _DT_STRTAB:
                    strings = value
        table = next(
            (at + strings - virtual for at, virtual, length in loads if virtual <= strings < virtual + length), 0
        )
        return tuple(raw[table + name : raw.index(b"\0", table + name)].decode("ascii") for name in names)
    except (struct.error, ValueError) as error:
        raise Malformed(Reason.TRUNCATED, f"ELF: {error}") from None


def loaded(raw: bytes) -> bytes:
    """What is left of a file when all that is never loaded is cut off its end: symbols for debuggers, section headers."""
    end = max((at + length for kind, at, _, length in _headers(raw) if kind == _PT_LOAD), default=0)
    if not 0 < end <= len(raw):
        raise Malformed(Reason.TRUNCATED, "ELF: segments")
    kept = bytearray(raw[:end])
    # e_shoff; e_shentsize, e_shnum, e_shstrndx: a file without sections.
    struct.pack_into("<Q", kept, 40, 0)
    struct.pack_into("<HHH", kept, 58, 0, 0, 0)
    return bytes(kept)


def trimmed(raw: bytes) -> bytes:
    """As `loaded`, and zeros at the end are left to whoever loads the file: `p_filesz` below `p_memsz` says so."""
    kept = bytearray(loaded(raw).rstrip(b"\0"))
    (phoff,) = struct.unpack_from("<Q", raw, 32)
    (size,) = struct.unpack_from("<H", raw, 54)
    for number, (kind, at, _, length) in enumerate(_headers(raw)):
        if kind == _PT_LOAD and at + length > len(kept):
            struct.pack_into("<Q", kept, phoff + size * number + 32, max(len(kept) - at, 0))
    return bytes(kept)


def _headers(raw: bytes) -> list[tuple[int, int, int, int]]:
    """Kind, place in the file, virtual address and length in the file of each segment."""
    if raw[:6] != b"\x7fELF\x02\x01":
        raise Malformed(Reason.UNKNOWN_KIND, "ELF: 64-bit little-endian")
    try:
        (phoff,) = struct.unpack_from("<Q", raw, 32)
        size, count = struct.unpack_from("<HH", raw, 54)
        rows = [struct.unpack_from("<IIQQQQ", raw, phoff + size * i) for i in range(count)]
    except struct.error as error:
        raise Malformed(Reason.TRUNCATED, f"ELF: {error}") from None
    return [(kind, at, virtual, length) for kind, _, at, virtual, _, length in rows]
