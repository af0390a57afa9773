# SPDX-License-Identifier: Apache-2.0
"""What firmware will extend into PCR 4 and PCR 9 for an image, with the events that the boot log will show.

As OVMF 2025.02 does it when QEMU 10 hands it kernel, initramfs and command line (measured, and held by
a test against a real boot). Earlier QEMU patches the kernel's header, so that PCR 4 depends on the
machine's memory. PCR 0 to 3 and 7 are the firmware's and the machine's, not the image's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from enarx.codec.digest import sha256
from enarx.measurement.pe import authenticode

KERNEL_REGISTER, LOADED_REGISTER, LAUNCH_REGISTER = 4, 9, 11
_OPTIONS = " initrd=initrd"
"""OVMF adds this to the command line; the initramfs is the only file of its virtual folder."""


class Extended(msgspec.Struct, frozen=True):
    """An event that will be in the log: register, type in the specification's words, digest, what it is of."""

    register: int
    name: str
    digest: bytes
    of: str


def events(*, kernel: bytes, initrd: bytes, command_line: str, algorithm: str = "sha256") -> tuple[Extended, ...]:
    """The events of PCR 4 and PCR 9, in order. `kernel` is the bzImage."""

    def digest(body: bytes) -> bytes:
        return hashlib.new(algorithm, body).digest()

    kernel_digest = authenticode(kernel, algorithm)
    return (
        Extended(4, "EV_EFI_BOOT_SERVICES_APPLICATION", kernel_digest, "kernel"),
        Extended(4, "EV_EFI_ACTION", digest(b"Calling EFI Application from Boot Option"), "start of the boot option"),
        Extended(4, "EV_SEPARATOR", digest(bytes(4)), "separator"),
        Extended(9, "EV_EVENT_TAG", digest(command_line_data(command_line)), "command line"),
        Extended(9, "EV_EVENT_TAG", digest(initrd), "initramfs"),
    )


def command_line_data(command_line: str) -> bytes:
    """What OVMF hashes of a command line: UTF-16 with the name of the initramfs, and a terminator."""
    return (command_line + _OPTIONS).encode("utf-16-le") + b"\0\0"


def registers(expected: tuple[Extended, ...], algorithm: str = "sha256") -> dict[int, bytes]:
    """The values to which the events lead, from zero."""
    found: dict[int, bytes] = {}
    for event in expected:
        before = found.get(event.register, bytes(len(event.digest)))
        found[event.register] = hashlib.new(algorithm, before + event.digest).digest()
    return found


def launch_register(launch: bytes) -> bytes:
    """PCR 11 once the agent has extended the launch digest into it."""
    return sha256(bytes(32) + launch)


def differences(expected: tuple[Extended, ...], seen: Iterable[tuple[int, str, bytes]]) -> tuple[Extended, ...]:
    """The expected events that a log does not hold; `seen` are its (register, type, digest).

    Says which part of the image was changed once a register has shown that one was.
    """
    waiting = list(seen)
    missing: list[Extended] = []
    for event in expected:
        key = (event.register, event.name, event.digest)
        if key in waiting:
            waiting.remove(key)
        else:
            missing.append(event)
    return tuple(missing)
