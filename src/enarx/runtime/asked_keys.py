# SPDX-License-Identifier: Apache-2.0
"""A guest's requests for its keys, answered outside the agent's loop: making an RSA key takes seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable

from enarx.runtime.mounted import Answering
from enarx.runtime.wasi.errno import AGAIN


class AskedKeys:
    """One request at a time; `tell` gets the fields of the answer, or a WASI error number."""

    def __init__(self, tell: Callable[[list[bytes] | int], None]) -> None:
        self._tell = tell
        self._keyring: Answering | None = None
        self._busy = False

    def ask(self, fields: list[bytes]) -> None:
        """Answer, sooner or later. A guest's process that does not wait for the answer before is told to."""
        if self._busy:
            self._tell(AGAIN)
            return
        if self._keyring is None:
            # Loaded for who uses it: its cryptography takes longer than a guest to start.
            from enarx.runtime.keyring import Keyring

            self._keyring = Keyring()
        self._busy = True
        threading.Thread(target=self._answer, args=(self._keyring, fields), daemon=True).start()

    def _answer(self, keyring: Answering, fields: list[bytes]) -> None:
        answer = keyring.answer(fields)
        self._busy = False
        self._tell(answer)
