# SPDX-License-Identifier: Apache-2.0
"""The TPM's own storage, where its maker leaves certificates (TPM 2.0 Library, Part 3, section 31). No IO."""

from __future__ import annotations

import struct

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason
from enarx.platform.tpm.command import authorised, body, plain, sized, taken

EK_P256_CERTIFICATE, EK_RSA_CERTIFICATE = 0x01C0000A, 0x01C00002
"""TCG EK Credential Profile 2.5, section 2.2.1.4: the low range's indices of templates L-2 and L-1."""
MAX_BYTES = 8192
CHUNK = 512
"""Bytes of one read or write; the smallest NV buffer of a TPM has as many (PC Client Platform TPM Profile)."""
_PLATFORM = 0x4000000C
_SHA256 = 0x000B
_MAKERS = 0x42072001
"""TPMA_NV: made and written by the platform, lockable, read by everybody, no lockout (Part 2, section 13.4)."""


def define(index: int, size: int) -> bytes:
    """NV_DefineSpace of an index that the platform writes and everybody reads."""
    public = struct.pack(">IHI", index, _SHA256, _MAKERS) + sized(b"") + struct.pack(">H", size)
    return authorised(0x12A, struct.pack(">I", _PLATFORM), sized(b"") + sized(public))


def write(index: int, contents: bytes, offset: int) -> bytes:
    """NV_Write of at most `CHUNK` bytes."""
    return authorised(0x137, struct.pack(">II", _PLATFORM, index), sized(contents) + struct.pack(">H", offset))


def lock(index: int) -> bytes:
    """NV_WriteLock: nobody writes it again."""
    return authorised(0x138, struct.pack(">II", _PLATFORM, index), b"")


def read_public(index: int) -> bytes:
    """NV_ReadPublic."""
    return plain(0x169, struct.pack(">I", index))


def size(response: bytes) -> int:
    """How many bytes an index holds."""
    public = Cursor(taken(body(response, "NV_ReadPublic"), "nvPublic"), "TPMS_NV_PUBLIC")
    public.take(4 + 2 + 4, "index, hash, attributes")
    taken(public, "authPolicy")
    found = public.big(2, "dataSize")
    if found > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"TPM: NV index of {found} bytes")
    return found


def read(index: int, count: int, offset: int) -> bytes:
    """NV_Read with the index's own (empty) authorisation."""
    return authorised(0x14E, struct.pack(">II", index, index), struct.pack(">HH", count, offset))


def contents(response: bytes) -> bytes:
    """What was read."""
    cursor = body(response, "NV_Read")
    cursor.big(4, "parameterSize")
    return taken(cursor, "data")
