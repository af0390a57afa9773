# SPDX-License-Identifier: Apache-2.0
"""What a TDX module will measure for an image under QEMU: MRTD, and the registers 1 and 2 of the run.

Untested against hardware. Sources: Intel TDX Module Base Architecture Specification, TDH.MEM.PAGE.ADD and
TDH.MR.EXTEND; Linux, arch/x86/kvm/vmx/tdx.c (each page is added, then extended); edk2,
OvmfPkg/Tcg/TdTcg2Dxe (which register takes which event). RTMR 0 is `tdx_boot`'s; RTMR 3 is the agent's.
"""

from __future__ import annotations

import hashlib

from enarx.errors import Malformed, Reason
from enarx.measurement import ovmf
from enarx.measurement.pe import authenticode
from enarx.measurement.tpm import command_line_data

_PAGE, _CHUNK, _RECORD = 4096, 256, 128
_EXTENDED, _ADDED_LATER = 1, 2
"""TDVF section attributes MR.EXTEND and PAGE.AUG."""
_MOST_SECTION = 64 << 20
LAUNCH_REGISTER = 3
"""Which an agent extends whose machine was launched before its document; MRCONFIGID has the digest otherwise."""


def mrtd(firmware: bytes) -> bytes:
    """The measurement of a TD's first memory, 48 bytes."""
    digest = hashlib.sha384()
    for section in ovmf.tdx_sections(firmware, ovmf.table(firmware)):
        if section.attributes & _ADDED_LATER:
            continue
        body = firmware[section.offset : section.offset + section.file_size]
        if len(body) != section.file_size or section.size % _PAGE or section.size > _MOST_SECTION:
            raise Malformed(Reason.WRONG_LENGTH, f"OVMF: TDX section at {section.gpa:#x}")
        body = body.ljust(section.size, b"\0")
        for at in range(0, section.size, _PAGE):
            digest.update(_record(b"MEM.PAGE.ADD", section.gpa + at))
            if section.attributes & _EXTENDED:
                for part in range(at, at + _PAGE, _CHUNK):
                    digest.update(_record(b"MR.EXTEND", section.gpa + part))
                    digest.update(body[part : part + _CHUNK])
    return digest.digest()


def _record(name: bytes, gpa: int) -> bytes:
    return (name.ljust(16, b"\0") + gpa.to_bytes(8, "little")).ljust(_RECORD, b"\0")


def rtmrs(*, kernel: bytes, initrd: bytes, command_line: str) -> dict[int, bytes]:
    """Registers 1 (the kernel and how it was started) and 2 (command line, initramfs)."""
    started = (
        authenticode(kernel, "sha384"),
        _digest(b"Calling EFI Application from Boot Option"),
        _digest(bytes(4)),
        _digest(b"Exit Boot Services Invocation"),
        _digest(b"Exit Boot Services Returned with Success"),
    )
    loaded = (_digest(command_line_data(command_line)), _digest(initrd))
    return {1: _extended(started), 2: _extended(loaded)}


def launch_register(launch: bytes) -> bytes:
    """Register 3 once the agent has extended the launch digest, padded with zeros to 48 bytes."""
    return _extended((launch.ljust(48, b"\0"),))


def _digest(body: bytes) -> bytes:
    return hashlib.sha384(body).digest()


def _extended(digests: tuple[bytes, ...]) -> bytes:
    value = bytes(48)
    for digest in digests:
        value = hashlib.sha384(value + digest).digest()
    return value
