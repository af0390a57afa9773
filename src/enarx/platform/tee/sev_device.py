# SPDX-License-Identifier: Apache-2.0
"""/dev/sev-guest: reports, their certificates and derived keys of an SEV-SNP guest.

Sources: Linux, include/uapi/linux/sev-guest.h and Documentation/virt/coco/sev-guest.rst; SEV-SNP
Firmware ABI 1.55, MSG_REPORT_RSP and MSG_KEY_REQ; GHCB 2.03, section 4.1.8 (the host's errors).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator

from enarx.errors import Malformed, Misused, Reason, Undetermined
from enarx.evidence.snp_report import SIZE

DEVICE = "/dev/sev-guest"
SNP_GET_REPORT, SNP_GET_DERIVED_KEY, SNP_GET_EXT_REPORT = 0xC0205300, 0xC0205301, 0xC0205302
"""_IOWR('S', 0|1|2, struct snp_guest_request_ioctl), of 32 bytes."""
BOUND, MAX_TABLE = 64, 1 << 20
TRIES, PAUSE = 60, 0.5
_REQUEST = struct.Struct("<B7xQQQ")
_VERSION = 1
_HEAD = 32
"""Of a message: status, size and reserved bytes before what was asked for."""
INVALID_LENGTH, BUSY = 1, 2
"""SNP_GUEST_VMM_ERR_INVALID_LEN: the table wants more room; _BUSY: the host asks to come again."""
_FIRST_TABLE = 16 << 10
_MEASUREMENT, _POLICY = 1 << 3, 1 << 0
"""GUEST_FIELD_SELECT of MSG_KEY_REQ: what the key depends on beside the chip."""

Ioctl = Callable[[int, int, bytearray], object]


class SevGuest:
    """The device. `ioctl` takes the descriptor, the request's number and its structure, which it changes."""

    def __init__(
        self, path: str = DEVICE, *, ioctl: Ioctl = fcntl.ioctl, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._path = path
        self._ioctl = ioctl
        self._pause = pause

    def report(self, bound: bytes, *, vmpl: int = 0) -> bytes:
        """A report over `bound` (64 bytes), 1184 bytes."""
        answer = (ctypes.c_ubyte * 4000)()
        asked = ctypes.create_string_buffer(_asked(bound, vmpl), 96)
        self._ask(SNP_GET_REPORT, asked, answer)
        return _report(bytes(answer))

    def extended(self, bound: bytes, *, vmpl: int = 0) -> tuple[bytes, bytes]:
        """A report, and the certificate table that the host handed over with it, or b"" if it has none."""
        room = _FIRST_TABLE
        for _ in range(2):
            answer, table = (ctypes.c_ubyte * 4000)(), (ctypes.c_ubyte * room)()
            place = struct.pack("<QI4x", ctypes.addressof(table), room)
            asked = ctypes.create_string_buffer(_asked(bound, vmpl) + place, 112)
            if self._ask(SNP_GET_EXT_REPORT, asked, answer, may_want_room=True):
                found = bytes(table)
                return _report(bytes(answer)), found if any(found) else b""
            (room,) = struct.unpack_from("<I", asked.raw, 104)
            if not 0 < room <= MAX_TABLE:
                raise Malformed(Reason.TOO_LARGE, f"{self._path}: a certificate table of {room} bytes")
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._path}: the certificate table grows")

    def derived_key(self) -> bytes:
        """32 bytes that depend on the chip, the launch measurement and the guest's policy."""
        answer = (ctypes.c_ubyte * 64)()
        asked = ctypes.create_string_buffer(struct.pack("<IIQIIQ", 0, 0, _MEASUREMENT | _POLICY, 0, 0, 0), 32)
        self._ask(SNP_GET_DERIVED_KEY, asked, answer)
        raw = bytes(answer)
        _require_status(int.from_bytes(raw[:4], "little"), "derived key")
        return raw[_HEAD : _HEAD + 32]

    def _ask(self, number: int, asked: object, answer: object, *, may_want_room: bool = False) -> bool:
        """One request, asked again for as long as the host says that it is busy; False: the table wants room."""
        with self._opened() as descriptor:
            for _ in range(TRIES):
                where = ctypes.addressof(asked), ctypes.addressof(answer)  # type: ignore[arg-type]
                request = bytearray(_REQUEST.pack(_VERSION, *where, 0))
                try:
                    self._ioctl(descriptor, number, request)
                except OSError as error:
                    host = _REQUEST.unpack(request)[3] >> 32
                    if may_want_room and host == INVALID_LENGTH:
                        return False
                    if host != BUSY and error.errno not in {errno.EAGAIN, errno.EINTR}:
                        raise self._refused(request, error) from None
                else:
                    self._require_answered(request)
                    return True
                self._pause(PAUSE)
        raise Undetermined(Reason.TIMED_OUT, f"{self._path}: the host throttles it")

    def _require_answered(self, request: bytearray) -> None:
        if _REQUEST.unpack(request)[3]:
            raise self._refused(request, None)

    def _refused(self, request: bytearray, error: OSError | None) -> Undetermined:
        code = _REQUEST.unpack(request)[3]
        said = "" if error is None else f": {error.strerror}"
        where = f"firmware error {code & 0xFFFFFFFF:#x}, host error {code >> 32:#x}"
        return Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._path}{said}: {where}")

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise Undetermined(Reason.UNREACHABLE, f"{self._path}: {error.strerror}") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _asked(bound: bytes, vmpl: int) -> bytes:
    """Struct snp_report_req."""
    if len(bound) != BOUND:
        raise Misused(Reason.WRONG_LENGTH, f"report data of {len(bound)} bytes, expected {BOUND}")
    return struct.pack("<64sI28x", bound, vmpl)


def _report(answer: bytes) -> bytes:
    """MSG_REPORT_RSP: status, size, 24 reserved bytes, the report."""
    status, size = struct.unpack_from("<II", answer)
    _require_status(status, "report")
    if size != SIZE:
        raise Malformed(Reason.WRONG_LENGTH, f"report of {size} bytes from the evidence device")
    return answer[_HEAD : _HEAD + size]


def _require_status(status: int, what: str) -> None:
    if status:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{what} from the evidence device: status {status:#x}")
