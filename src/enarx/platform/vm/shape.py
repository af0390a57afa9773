# SPDX-License-Identifier: Apache-2.0
"""How a machine is started, as far as whoever opens a Keep has a choice."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec


class Boot(StrEnum):
    """How the kernel is started."""

    DIRECT = "direct"
    """QEMU enters the kernel's ELF file. Fast; nothing measures it."""
    MEASURED = "measured"
    """Firmware measures kernel, initramfs and command line into a TPM."""
    HASHED = "hashed"
    """Firmware that the TEE measures checks the kernel's hashes, or measures it into an RTMR."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed of a machine.

    boot       None: hashed in a TEE, direct without one
    tpm_maker  folder of the maker of a measured machine's TPM; None for this host's
    memory_mb  None: `enough` for the package
    cpus       virtual processors; a TEE measures how many
    """

    boot: Boot | None = None
    tpm_maker: Path | None = None
    memory_mb: int | None = None
    cpus: int = 1


PLAIN = Shape()
