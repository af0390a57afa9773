# SPDX-License-Identifier: Apache-2.0
"""What a session needs of a sealed volume; `sealed.mount.Mount` is the one that exists.

Apart from it, because a run without `/sealed` starts in less time than its cryptography takes to load.
"""

from __future__ import annotations

from typing import Protocol


class Mounted(Protocol):
    """A sealed volume that is open."""

    def mark(self) -> bytes:
        """What the guest reads of it at `/attest/sealed`."""

    def answer(self, fields: list[bytes]) -> list[bytes] | int:
        """The fields of the answer to a question of the guest's process, or a WASI error number."""

    def finish(self) -> None:
        """The guest has ended."""
