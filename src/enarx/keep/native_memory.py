# SPDX-License-Identifier: Apache-2.0
"""Files that are memory: what must be read by path, and must never be on a disk (memfd_create(2))."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class MemoryFiles:
    """Unlinked, sealed files that this process and its forks can open by path, and nobody else.

    Other processes of the same user cannot, because the agent is not dumpable (prctl(2)). A
    program that this one executes does not inherit them. Use as a context manager.
    """

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def add(self, name: str, contents: bytes) -> Path:
        """A path below /proc/self under which `contents` can be read."""
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._descriptors.append(descriptor)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(contents)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return Path(f"/proc/self/fd/{descriptor}")

    def close(self) -> None:
        """Give the memory back."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def __enter__(self) -> MemoryFiles:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
