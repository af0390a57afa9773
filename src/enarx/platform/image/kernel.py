# SPDX-License-Identifier: Apache-2.0
"""The kernel as Debian ships it, and the ELF file inside it that QEMU can start without firmware.

Source: Linux, Documentation/arch/x86/boot.rst (`setup_sects`, `payload_offset`, `payload_length`).
"""

from __future__ import annotations

import lzma
import struct

from enarx.errors import Malformed, Reason

_BOOT_FLAG, _MAGIC = 0xAA55, b"HdrS"
_ZSTD = b"\x28\xb5\x2f\xfd"


def payload(bzimage: bytes) -> tuple[bytes, int]:
    """The zstd frame with the kernel's ELF file inside a bzImage, and the size of that file."""
    if (
        len(bzimage) < 0x260
        or bzimage[0x202:0x206] != _MAGIC
        or bzimage[0x1FE:0x200] != _BOOT_FLAG.to_bytes(2, "little")
    ):
        raise Malformed(Reason.UNKNOWN_KIND, "kernel: not a bzImage")
    sectors = bzimage[0x1F1] or 4
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (sectors + 1) * 512 + offset
    body = bzimage[start : start + length]
    if len(body) != length or length < 8:
        raise Malformed(Reason.TRUNCATED, "kernel: payload")
    if not body.startswith(_ZSTD):
        raise Malformed(Reason.ALGORITHM, f"kernel: payload begins {body[:4].hex()}, expected zstd")
    # scripts/Makefile.lib appends the uncompressed size to the compressed kernel.
    return body[:-4], int.from_bytes(body[-4:], "little")


def module(compressed: bytes) -> bytes:
    """A loadable module out of its `.ko.xz`."""
    try:
        return lzma.decompress(compressed)
    except lzma.LZMAError as error:
        raise Malformed(Reason.SYNTAX, f"kernel module: {error}") from None


def depends(ko: bytes) -> tuple[str, ...]:
    """The modules that one names as its needs (`depends=` of its `.modinfo`)."""
    at = ko.find(b"\0depends=")
    if at < 0:
        return ()
    listed = ko[at + 9 : ko.index(b"\0", at + 9)].decode("ascii")
    return tuple(name.replace("-", "_") for name in listed.split(",") if name)
