# SPDX-License-Identifier: Apache-2.0
"""The system calls that process 1 makes and that Python's standard library does not."""

# ruff: noqa: PTH123 - pathlib would cost every boot
from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_FINIT_MODULE = 313
_RB_POWER_OFF = 0x4321FEDC
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
CAREFULLY = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC


def mount(kind: str, target: str, flags: int = CAREFULLY) -> None:
    """Mount one of the kernel's own file systems."""
    if _libc.mount(kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None):
        _fail(target)


def load_module(path: str) -> bool:
    """Load a kernel module; False when the machine has no such device."""
    with open(path, "rb") as file:
        if not _libc.syscall(_FINIT_MODULE, file.fileno(), b"", 0):
            return True
    if ctypes.get_errno() in {errno.ENODEV, errno.EEXIST}:
        return ctypes.get_errno() == errno.EEXIST
    _fail(path)
    return False


def raise_loopback() -> None:
    """Make 127.0.0.1 answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0))
        (flags,) = struct.unpack_from("H", request, 16)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def power_off() -> None:
    """End the machine. Does not return in a machine of which this process is process 1."""
    os.sync()
    _libc.reboot(_RB_POWER_OFF)


def _fail(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), what)
