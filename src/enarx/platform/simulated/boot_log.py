# SPDX-License-Identifier: Apache-2.0
"""A measured boot that never happened: a crypto-agile event log and the registers that it leads to."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

import msgspec

from enarx.evidence.event_kinds import (
    EV_EFI_VARIABLE_DRIVER_CONFIG,
    EV_NO_ACTION,
    EV_S_CRTM_VERSION,
    EV_SEPARATOR,
)
from enarx.evidence.event_log import ALGORITHMS, parse, replay

_NUMBERS = {name: number for number, name in ALGORITHMS.items()}
_SPEC_ID = b"Spec ID Event03\0"
EV_EFI_BOOT_SERVICES_APPLICATION = 0x8000_0003


class Measurement(msgspec.Struct, frozen=True):
    """One event to be written; `measured` is what is hashed, `data` itself where it is None."""

    index: int
    kind: int
    data: bytes
    measured: bytes | None = None


def secure_boot(*, on: bool) -> Measurement:
    """The SecureBoot variable, as firmware measures it into register 7."""
    name = "SecureBoot".encode("utf-16-le")
    guid = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
    data = guid + struct.pack("<QQ", len(name) // 2, 1) + name + bytes([on])
    return Measurement(7, EV_EFI_VARIABLE_DRIVER_CONFIG, data)


def usual(*, secure: bool = True, loader: bytes = b"simulated loader") -> tuple[Measurement, ...]:
    """A short boot: a version, secure boot, separators, one loader."""
    return (
        Measurement(0, EV_NO_ACTION, b"StartupLocality\0\3"),
        Measurement(0, EV_S_CRTM_VERSION, "simulated".encode("utf-16-le")),
        secure_boot(on=secure),
        *(Measurement(index, EV_SEPARATOR, bytes(4)) for index in range(8)),
        Measurement(4, EV_EFI_BOOT_SERVICES_APPLICATION, b"device path", loader),
    )


def written(
    measurements: Iterable[Measurement], algorithms: tuple[str, ...] = ("sha-1", "sha-256", "sha-384")
) -> bytes:
    """The log, in the format of the TCG PC Client Platform Firmware Profile."""
    sizes = [struct.pack("<HH", _NUMBERS[name], hashlib.new(name.replace("-", "")).digest_size) for name in algorithms]
    spec = _SPEC_ID + struct.pack("<IBBBB", 0, 0, 2, 0, 2) + struct.pack("<I", len(sizes)) + b"".join(sizes) + b"\0"
    raw = struct.pack("<II", 0, EV_NO_ACTION) + bytes(20) + struct.pack("<I", len(spec)) + spec
    for one in measurements:
        raw += struct.pack("<III", one.index, one.kind, len(algorithms))
        for name in algorithms:
            hashed = hashlib.new(name.replace("-", ""), one.data if one.measured is None else one.measured)
            digest = bytes(hashed.digest_size) if one.kind == EV_NO_ACTION else hashed.digest()
            raw += struct.pack("<H", _NUMBERS[name]) + digest
        raw += struct.pack("<I", len(one.data)) + one.data
    return raw


def registers(log: bytes, bank: str) -> dict[int, bytes]:
    """All 24 registers of a bank after that boot."""
    size = hashlib.new(bank.replace("-", "")).digest_size
    return {index: bytes(size) for index in range(24)} | replay(parse(log), bank)
