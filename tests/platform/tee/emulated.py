"""Emulated evidence devices: what Linux shows of configfs-tsm, /dev/sev-guest and /dev/tdx_guest.

No hardware: a stand-in for a configfs folder, and functions in the place of ioctl(2).
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import struct
from collections.abc import Callable
from typing import Any


def failing(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Tsm:
    """A folder of configfs-tsm: `answer` makes outblob and auxblob of an inblob.

    errors    raised by reading outblob, in turn; None for none
    intrusions  bytes that somebody else writes to inblob after us, in turn; None for nobody
    """

    def __init__(
        self,
        answer: Callable[[bytes], tuple[bytes, bytes]],
        *,
        provider: str = "sev_guest",
        errors: tuple[int | None, ...] = (),
        intrusions: tuple[bytes | None, ...] = (),
        floor: int | None = None,
        absent: int = 0,
    ) -> None:
        self.answer = answer
        self.provider = provider
        self.errors = list(errors)
        self.intrusions = list(intrusions)
        self.floor = floor
        self.absent = absent
        self.entries: dict[str, Entry] = {}
        self.made = 0

    def __truediv__(self, name: str) -> Entry:
        return self.entries.get(name) or Entry(self, name)

    def __str__(self) -> str:
        return "tsm/report"


class Entry:
    def __init__(self, tsm: Tsm, name: str) -> None:
        self.tsm = tsm
        self.name = name
        self.generation = 0
        self.level = 0
        self.inblob = b""

    def mkdir(self) -> None:
        if self.tsm.absent:
            raise failing(self.tsm.absent)
        self.tsm.entries[self.name] = self
        self.tsm.made += 1

    def rmdir(self) -> None:
        del self.tsm.entries[self.name]

    def __truediv__(self, name: str) -> File:
        return File(self, name)

    def write(self, name: str, body: bytes) -> None:
        self.generation += 1
        if name == "privlevel":
            self.level = int(body)
            return
        assert name == "inblob"
        self.inblob = body
        intruder = self.tsm.intrusions.pop(0) if self.tsm.intrusions else None
        if intruder is not None:
            self.generation += 1
            self.inblob = intruder

    def read(self, name: str) -> bytes:
        match name:
            case "generation":
                return f"{self.generation}\n".encode()
            case "provider":
                return f"{self.tsm.provider}\n".encode()
            case "privlevel_floor" if self.tsm.floor is not None:
                return f"{self.tsm.floor}\n".encode()
            case "outblob":
                if error := (self.tsm.errors.pop(0) if self.tsm.errors else None):
                    raise failing(error)
                if self.tsm.floor is not None and self.level < self.tsm.floor:
                    raise failing(errno.EINVAL)
                return self.tsm.answer(self.inblob)[0]
            case "auxblob" if self.tsm.provider == "sev_guest":
                return self.tsm.answer(self.inblob)[1]
        raise failing(errno.ENOENT)


class File:
    def __init__(self, entry: Entry, name: str) -> None:
        self.entry = entry
        self.name = name

    def exists(self) -> bool:
        return self.name != "auxblob" or self.entry.tsm.provider == "sev_guest"

    def read_text(self, _encoding: str) -> str:
        return self.entry.read(self.name).decode()

    def write_text(self, body: str, _encoding: str) -> None:
        self.entry.write(self.name, body.encode())

    def write_bytes(self, body: bytes) -> None:
        self.entry.write(self.name, body)

    def open(self, *_: Any, **__: Any) -> Any:
        number = os.memfd_create(self.name)
        os.write(number, self.entry.read(self.name))
        os.lseek(number, 0, os.SEEK_SET)
        return os.fdopen(number, "rb", buffering=0)


class SevIoctl:
    """ioctl(2) on /dev/sev-guest: `report` signs, `table` is the host's, `busy` answers before the real one."""

    def __init__(
        self,
        report: Callable[[bytes], bytes],
        *,
        table: bytes = b"",
        busy: int = 0,
        firmware_error: int = 0,
        status: int = 0,
    ) -> None:
        self.report = report
        self.table = table
        self.busy = busy
        self.firmware_error = firmware_error
        self.status = status
        self.asked: list[int] = []

    def __call__(self, _descriptor: int, number: int, request: bytearray) -> int:
        self.asked.append(number)
        version, asked, answer, _ = struct.unpack("<B7xQQQ", request)
        assert version == 1
        if self.busy:
            self.busy -= 1
            raise self._failed(request, errno.EIO, 2 << 32)
        if self.firmware_error:
            raise self._failed(request, errno.EIO, self.firmware_error)
        if number == 0xC0205301:
            select = struct.unpack("<IIQIIQ", ctypes.string_at(asked, 32))[2]
            key = hashlib.sha256(b"chip" + select.to_bytes(8, "little")).digest()
            ctypes.memmove(answer, struct.pack("<I28x", self.status) + key, 64)
            return 0
        bound, _vmpl = struct.unpack("<64sI28x", ctypes.string_at(asked, 96))
        if number == 0xC0205302:
            place, room = struct.unpack("<QI4x", ctypes.string_at(asked + 96, 16))
            if room < len(self.table):
                ctypes.memmove(asked + 104, struct.pack("<I", -(-len(self.table) // 4096) * 4096), 4)
                raise self._failed(request, errno.ENOSPC, 1 << 32)
            ctypes.memmove(place, self.table, len(self.table))
        report = self.report(bound)
        ctypes.memmove(answer, struct.pack("<II24x", self.status, len(report)) + report, 32 + len(report))
        return 0

    @staticmethod
    def _failed(request: bytearray, number: int, code: int) -> OSError:
        request[24:32] = code.to_bytes(8, "little")
        return failing(number)


class TdxIoctl:
    """ioctl(2) on /dev/tdx_guest: a report of these registers."""

    def __init__(self, mrconfigid: bytes = bytes(48), rtmrs: list[bytes] | None = None) -> None:
        self.mrconfigid = mrconfigid
        self.rtmrs = rtmrs or [bytes(48)] * 4

    def __call__(self, _descriptor: int, number: int, request: bytearray) -> int:
        assert number == 0xC4405401
        assert len(request) == 64 + 1024
        info = bytes(8 + 8 + 48) + self.mrconfigid + bytes(96) + b"".join(self.rtmrs)
        request[64 + 512 : 64 + 512 + len(info)] = info
        return 0
