# SPDX-License-Identifier: Apache-2.0
"""The Authenticode digest of a PE image: what UEFI firmware measures of a program that it loads.

Source: Microsoft, "Windows Authenticode Portable Executable Signature Format", "Calculating the PE
Image Hash". A kernel's bzImage is such an image (its EFI stub).
"""

from __future__ import annotations

import hashlib
import struct

from enarx.errors import Malformed, Reason

_PE32, _PE32_PLUS = 0x10B, 0x20B
_SECURITY_DIRECTORY = 4


def authenticode(image: bytes, algorithm: str = "sha256") -> bytes:
    """The digest over everything but the checksum, the certificate table's entry and the table."""
    try:
        return _digest(image, algorithm)
    except struct.error:
        raise Malformed(Reason.TRUNCATED, "PE image") from None


def _digest(image: bytes, algorithm: str) -> bytes:
    (header,) = struct.unpack_from("<I", image, 0x3C)
    if image[:2] != b"MZ" or image[header : header + 4] != b"PE\0\0":
        raise Malformed(Reason.UNKNOWN_KIND, "PE image: signature")
    (sections,) = struct.unpack_from("<H", image, header + 6)
    (optional_size,) = struct.unpack_from("<H", image, header + 20)
    optional = header + 24
    (magic,) = struct.unpack_from("<H", image, optional)
    if magic not in {_PE32, _PE32_PLUS}:
        raise Malformed(Reason.UNKNOWN_VERSION, f"PE image: optional header {magic:#x}")
    (headers_size,) = struct.unpack_from("<I", image, optional + 60)
    checksum = optional + 64
    security = optional + (112 if magic == _PE32_PLUS else 96) + 8 * _SECURITY_DIRECTORY
    _, table_size = struct.unpack_from("<II", image, security)
    hashed = hashlib.new(algorithm)
    for start, end in ((0, checksum), (checksum + 4, security), (security + 8, headers_size)):
        hashed.update(image[start:end])
    done = headers_size
    for start, size in sorted(_sections(image, optional + optional_size, sections)):
        hashed.update(image[start : start + size])
        done += size
    # What stands behind the last section is hashed, but for the certificate table at its end.
    hashed.update(image[done : len(image) - table_size])
    return hashed.digest()


def _sections(image: bytes, at: int, count: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in range(count):
        size, start = struct.unpack_from("<II", image, at + 40 * number + 16)
        if start + size > len(image):
            raise Malformed(Reason.TRUNCATED, f"PE image: section {number}")
        if size:
            found.append((start, size))
    return found
