# SPDX-License-Identifier: Apache-2.0
"""The launch digest that an SEV-SNP processor will report for an image under QEMU.

Sources: SEV Secure Nested Paging Firmware ABI (56860), section 8.17.2 "PAGE_INFO" and SNP_LAUNCH_UPDATE;
AMD64 Architecture Programmer's Manual volume 2, table B-4 (VMSA), table 14-1 (state after reset);
QEMU, target/i386/sev.c (kernel hashes).
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from enum import IntEnum

import msgspec

from enarx.codec.digest import sha256
from enarx.errors import Malformed, Misused, Reason
from enarx.measurement import ovmf
from enarx.measurement.ovmf import FOUR_GB, SevKind

_PAGE = 4096
_PAGE_INFO_SIZE = 0x70
_VMSA_GPA = 0xFFFF_FFFF_F000
_ZERO = bytes(48)
_MOST_SECTION = 64 << 20
"""Far above any section of any OVMF (under 1 MB); a measurement takes no longer than this lets it."""
GUEST_FEATURES = 0x1
"""SEV_FEATURES of the guest: SNP active. QEMU 10 sets no more by itself."""

_HASH_TABLE = uuid.UUID("9438d606-4f22-4cc9-b479-a793d411fd21")
_COMMAND_LINE = uuid.UUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
_INITRD = uuid.UUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
_KERNEL = uuid.UUID("4de79437-abd2-427f-b835-d5b172d2045b")

CPU_SIGNATURES = {
    "EPYC-v4": (23, 1, 2),
    "EPYC-Rome-v3": (23, 49, 0),
    "EPYC-Milan-v2": (25, 1, 1),
    "EPYC-Genoa-v1": (25, 17, 0),
    "EPYC-Turin": (26, 0, 0),
}
"""QEMU's processor models: family, model, stepping (CPUID Fn0000_0001_EAX)."""


class PageType(IntEnum):
    """PAGE_TYPE of SNP_LAUNCH_UPDATE, table 65."""

    NORMAL = 1
    VMSA = 2
    ZERO = 3
    UNMEASURED = 4
    SECRETS = 5
    CPUID = 6


_TYPES = {
    SevKind.MEMORY: PageType.ZERO,
    SevKind.SECRETS: PageType.SECRETS,
    SevKind.CPUID: PageType.CPUID,
    SevKind.SVSM_CAA: PageType.ZERO,
}


class Hashed(msgspec.Struct, frozen=True, kw_only=True):
    """What the firmware checks the kernel against (`kernel-hashes=on`)."""

    kernel: bytes
    initrd: bytes
    command_line: str


def launch_digest(
    firmware: bytes, hashed: Hashed | None, *, cpus: int, cpu: str, features: int = GUEST_FEATURES
) -> bytes:
    """The digest, 48 bytes. `hashed` None is a launch without a kernel of QEMU's."""
    if cpus < 1 or cpu not in CPU_SIGNATURES:
        raise Misused(Reason.UNKNOWN_VALUE, f"{cpus} processors of model {cpu!r}")
    entries = ovmf.table(firmware)
    digest = pages(_ZERO, FOUR_GB - len(firmware), firmware)
    for section in ovmf.sev_sections(firmware, entries):
        if section.kind == SevKind.KERNEL_HASHES:
            digest = _hash_section(digest, section, entries, hashed)
        elif section.kind in list(SevKind):
            digest = _unwritten(digest, _TYPES[SevKind(section.kind)], section.gpa, section.size)
        else:
            raise Malformed(Reason.UNKNOWN_KIND, f"OVMF: SEV section of type {section.kind:#x}")
    if hashed is not None and not any(
        one.kind == SevKind.KERNEL_HASHES for one in ovmf.sev_sections(firmware, entries)
    ):
        raise Misused(
            Reason.BOOT_NOT_MEASURED,
            "this OVMF has no table for the kernel's hashes, so the launch would not measure the kernel",
            hint="enarx image firmware builds one that has",
        )
    return _processors(digest, entries, cpus=cpus, signature=_signature(*CPU_SIGNATURES[cpu]), features=features)


def extended(digest: bytes, kind: PageType, gpa: int, contents: bytes) -> bytes:
    """The digest after one page: SHA-384 of PAGE_INFO. `contents` is the page's SHA-384, or zeros."""
    info = struct.pack("<48s48sHBBBBBBQ", digest, contents, _PAGE_INFO_SIZE, kind, 0, 0, 0, 0, 0, gpa)
    return hashlib.sha384(info).digest()


def pages(digest: bytes, gpa: int, contents: bytes) -> bytes:
    """The digest after pages with contents."""
    if len(contents) % _PAGE:
        raise Malformed(Reason.WRONG_LENGTH, f"OVMF: {len(contents)} bytes are not whole pages")
    for at in range(0, len(contents), _PAGE):
        page = hashlib.sha384(contents[at : at + _PAGE]).digest()
        digest = extended(digest, PageType.NORMAL, gpa + at, page)
    return digest


def _unwritten(digest: bytes, kind: PageType, gpa: int, size: int) -> bytes:
    if size > _MOST_SECTION:
        raise Malformed(Reason.TOO_LARGE, f"OVMF: SEV section of {size} bytes")
    for at in range(0, size, _PAGE):
        digest = extended(digest, kind, gpa + at, _ZERO)
    return digest


def _hash_section(
    digest: bytes, section: ovmf.SevSection, entries: dict[uuid.UUID, bytes], hashed: Hashed | None
) -> bytes:
    if hashed is None:
        return _unwritten(digest, PageType.ZERO, section.gpa, section.size)
    offset = ovmf.number(entries, ovmf.HASH_TABLE, "place of the hash table") % _PAGE
    page = (bytes(offset) + hash_table(hashed)).ljust(_PAGE, b"\0")
    return pages(digest, section.gpa, page)


def hash_table(hashed: Hashed) -> bytes:
    """The table that QEMU writes for the firmware, padded to 16 bytes."""
    line = hashed.command_line.encode() + b"\0"
    rows = ((_COMMAND_LINE, line), (_INITRD, hashed.initrd), (_KERNEL, hashed.kernel))
    entries = b"".join(name.bytes_le + struct.pack("<H", 50) + sha256(body) for name, body in rows)
    table = _HASH_TABLE.bytes_le + struct.pack("<H", 18 + len(entries)) + entries
    return table + bytes(-len(table) % 16)


def _signature(family: int, model: int, stepping: int) -> int:
    low, high = (0xF, family - 0xF) if family > 0xF else (family, 0)
    return high << 20 | (model >> 4) << 16 | low << 8 | (model & 0xF) << 4 | stepping


def _processors(digest: bytes, entries: dict[uuid.UUID, bytes], *, cpus: int, signature: int, features: int) -> bytes:
    first = vmsa(0xFFFF_FFF0, signature, features)
    others = vmsa(ovmf.number(entries, ovmf.RESET_BLOCK, "SEV-ES reset block"), signature, features)
    for number in range(cpus):
        page = first if number == 0 else others
        digest = extended(digest, PageType.VMSA, _VMSA_GPA, hashlib.sha384(page).digest())
    return digest


def vmsa(eip: int, signature: int, features: int) -> bytes:
    """The save area of a processor at reset, as KVM and QEMU set it up."""
    page = bytearray(_PAGE)

    def segment(at: int, selector: int, attributes: int, limit: int, base: int) -> None:
        struct.pack_into("<HHIQ", page, at, selector, attributes, limit, base)

    for at in (0x00, 0x20, 0x30, 0x40, 0x50):  # ES, SS, DS, FS, GS
        segment(at, 0, 0x93, 0xFFFF, 0)
    segment(0x10, 0xF000, 0x9B, 0xFFFF, eip & 0xFFFF_0000)  # CS
    segment(0x60, 0, 0, 0xFFFF, 0)  # GDTR
    segment(0x70, 0, 0x82, 0xFFFF, 0)  # LDTR
    segment(0x80, 0, 0, 0xFFFF, 0)  # IDTR
    segment(0x90, 0, 0x8B, 0xFFFF, 0)  # TR
    for at, value in (
        (0xD0, 0x1000),  # EFER: SVME, set by KVM
        (0x148, 0x40),  # CR4: MCE, set by KVM
        (0x158, 0x10),  # CR0
        (0x160, 0x400),  # DR7
        (0x168, 0xFFFF_0FF0),  # DR6
        (0x170, 0x2),  # RFLAGS
        (0x178, eip & 0xFFFF),  # RIP
        (0x268, 0x0007_0406_0007_0406),  # G_PAT
        (0x310, signature),  # RDX
        (0x3B0, features),  # SEV_FEATURES
        (0x3E8, 0x1),  # XCR0
    ):
        struct.pack_into("<Q", page, at, value)
    struct.pack_into("<I", page, 0x408, 0x1F80)  # MXCSR
    struct.pack_into("<H", page, 0x410, 0x37F)  # X87_FCW
    return bytes(page)
