# SPDX-License-Identifier: Apache-2.0
"""/dev/tdx_guest: the report that the TDX module makes, and the registers of a run that a guest extends.

A report is for this machine alone; a quote, which others can judge, comes through configfs-tsm. Here
it tells what the registers hold. Sources: Linux, include/uapi/linux/tdx-guest.h;
Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest (Linux 6.16 and later); Intel TDX Module
ABI Specification, TDREPORT_STRUCT and TDINFO_STRUCT.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from enarx.errors import Misused, Reason, Undetermined
from enarx.platform.tee.sev_device import Ioctl

DEVICE = "/dev/tdx_guest"
TDX_CMD_GET_REPORT0 = 0xC4405401
"""_IOWR('T', 1, struct tdx_report_req): 64 bytes in, 1024 bytes out."""
MEASUREMENTS = Path("/sys/devices/virtual/misc/tdx_guest/measurements")
LAUNCH_REGISTER = 3
BOUND, _REPORT, _REGISTER = 64, 1024, 48
_TDINFO = 512
_MRCONFIGID, _RTMRS = _TDINFO + 64, _TDINFO + 208
"""TDINFO: attributes 8, XFAM 8, MRTD 48, MRCONFIGID 48, MROWNER 48, MROWNERCONFIG 48, RTMR 4 x 48."""


class Registers(msgspec.Struct, frozen=True):
    """What a report says of the guest: MRCONFIGID, and RTMR 0 to 3 (48 bytes each)."""

    mrconfigid: bytes
    rtmrs: tuple[bytes, ...]


def registers(path: str = DEVICE, *, ioctl: Ioctl = fcntl.ioctl) -> Registers:
    """The registers as the TDX module has them now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise Undetermined(Reason.UNREACHABLE, f"{path}: {error.strerror}") from None
    request = bytearray(BOUND + _REPORT)
    try:
        ioctl(descriptor, TDX_CMD_GET_REPORT0, request)
    except OSError as error:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{path}: {error.strerror}") from None
    finally:
        os.close(descriptor)
    raw = bytes(request[BOUND:])
    rtmrs = tuple(raw[_RTMRS + at : _RTMRS + at + _REGISTER] for at in range(0, 4 * _REGISTER, _REGISTER))
    return Registers(raw[_MRCONFIGID : _MRCONFIGID + _REGISTER], rtmrs)


def extend(register: int, digest: bytes, folder: Path = MEASUREMENTS) -> None:
    """Extend a register by 48 bytes. `Undetermined` where this kernel lets nobody do that."""
    if len(digest) != _REGISTER or register not in {2, 3}:
        raise Misused(Reason.WRONG_LENGTH, f"RTMR {register}: extended by {len(digest)} bytes")
    path = folder / f"rtmr{register}:sha384"
    try:
        with path.open("r+b", buffering=0) as file:
            file.write(digest)
    except OSError as error:
        raise Undetermined(
            Reason.BACKEND_UNAVAILABLE, f"{path}: {error.strerror}", hint="RTMRs are extended by Linux 6.16 and later"
        ) from None
