# SPDX-License-Identifier: Apache-2.0
"""What a session needs of a sealed volume (`sealed.mount.Mount`) and of a guest's keys (`keyring.Keyring`).

Apart from them, because a run without them starts in less time than their cryptography takes to load.
"""

from __future__ import annotations

from typing import Protocol


class Answering(Protocol):
    """Something of the agent's that a guest's process may ask."""

    def answer(self, fields: list[bytes]) -> list[bytes] | int:
        """The fields of the answer to one question, or a WASI error number. The asker may be hostile."""


class Mounted(Answering, Protocol):
    """A sealed volume that is open."""

    def mark(self) -> bytes:
        """What the guest reads of it at `/attest/sealed`."""

    def finish(self) -> None:
        """The guest has ended."""
