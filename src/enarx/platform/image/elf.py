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
    if raw[:6] != b"\x7fELF\x02\x01":
        raise Malformed(Reason.UNKNOWN_KIND, "ELF: 64-bit little-endian")
    try:
        (phoff,) = struct.unpack_from("<Q", raw, 32)
        size, count = struct.unpack_from("<HH", raw, 54)
        headers = [struct.unpack_from("<IIQQQQ", raw, phoff + size * i) for i in range(count)]
        loads = [(at, virtual, length) for kind, _, at, virtual, _, length in headers if kind == _PT_LOAD]
        names: list[int] = []
        strings = 0
        for kind, _, at, _, _, length in headers:
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
