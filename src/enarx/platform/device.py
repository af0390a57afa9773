# SPDX-License-Identifier: Apache-2.0
"""What this machine has: CPUID, device files, kernel parameters, limits. Looks; changes nothing."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import resource
from collections.abc import Callable
from pathlib import Path

from enarx.platform.needs import KVM, LEAVES, NONE, PATHS, SWITCHES, Machine, Registers, Seen

_KVM_GET_API_VERSION = 0xAE00  # linux/kvm.h: _IO(KVMIO, 0x00)
# CPUID(edi, esi) into four words at rdx, System V calling convention
_CPUID = bytes.fromhex(
    "53 89f8 89f1 4989d0"  # push rbx; mov eax, edi; mov ecx, esi; mov r8, rdx
    "0fa2"  # cpuid
    "418900 41895804 41894808 4189500c"  # mov [r8], eax; [r8+4], ebx; [r8+8], ecx; [r8+12], edx
    "5b c3"  # pop rbx; ret
)


def look() -> Machine:
    """What is here now."""
    name = os.uname()
    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return Machine(
        system=f"{name.sysname} {name.release} {name.version} {name.machine}",
        cpuid=_cpuid(),
        paths={path: _seen(path) for path in PATHS},
        switches={path: text for path in SWITCHES if (text := _text(path)) is not None},
        kvm_api=_kvm_api(),
        memlock=None if soft == resource.RLIM_INFINITY else soft,
    )


def _seen(path: str) -> Seen:
    if not Path(path).exists():
        return Seen()
    return Seen(there=True, readable=os.access(path, os.R_OK), writable=os.access(path, os.W_OK))


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _kvm_api() -> int | None:
    try:
        handle = os.open(KVM, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return fcntl.ioctl(handle, _KVM_GET_API_VERSION)
    except OSError:
        return None
    finally:
        os.close(handle)


def _cpuid() -> dict[tuple[int, int], Registers]:
    """Every leaf that is looked at; none where the CPU has no CPUID or pages may not be executed."""
    if platform.machine() != "x86_64":
        return {}
    try:
        with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
            page.write(_CPUID)
            anchor = ctypes.c_char.from_buffer(page)
            kind = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)
            found = {(leaf, sub): _ask(kind(ctypes.addressof(anchor)), leaf, sub) for leaf, sub in LEAVES}
            del anchor
            return {key: registers for key, registers in found.items() if registers != NONE}
    except (OSError, PermissionError):
        return {}


def _ask(cpuid: Callable[[int, int, object], None], leaf: int, sub: int) -> Registers:
    out = (ctypes.c_uint32 * 4)()
    cpuid(leaf, sub, ctypes.addressof(out))
    return out[0], out[1], out[2], out[3]
