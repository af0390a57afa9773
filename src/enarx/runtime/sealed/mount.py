# SPDX-License-Identifier: Apache-2.0
"""A sealed volume as one Keep mounts it: what the guest asks it, and what everybody may know of it."""

from __future__ import annotations

from collections.abc import Callable

from enarx.errors import EnarxError, Misused, Reason
from enarx.runtime.sealed.cipher import Scope
from enarx.runtime.sealed.serving import Serving
from enarx.runtime.sealed.volume import STORAGE, Objects, Sealing, Volume
from enarx.workload.manifest import NOT_DETECTED, Sealed


class Mount:
    """An opened volume. Raises what keeps it from being opened.

    sealed   what the manifest says
    sealing  where the root comes from, and whether anybody holds the version
    storage  bytes that the guest's files may take together; None for the default
    report   hears of what is found wrong while the guest runs
    """

    def __init__(
        self,
        sealed: Sealed,
        objects: Objects,
        sealing: Sealing,
        scope: Scope,
        *,
        storage: int | None,
        report: Callable[[EnarxError], None],
    ) -> None:
        if not sealing.detected and sealed.rollback != NOT_DETECTED:
            hint = f'write rollback = "{NOT_DETECTED}" under [sealed] if that is good enough'
            said = "/sealed: nobody holds the volume's version here, and the manifest wants rollback detected"
            raise Misused(Reason.NOT_FRESH, said, hint=hint)
        self._serving = Serving(Volume(objects, sealing, scope, storage or STORAGE), report)
        self.seal = sealed.seal
        self.rollback = "detected" if sealing.detected else NOT_DETECTED

    def answer(self, fields: list[bytes]) -> list[bytes] | int:
        """See `mounted.Mounted`."""
        return self._serving.answer(fields)

    def finish(self) -> None:
        """See `mounted.Mounted`."""
        self._serving.finish()

    def mark(self) -> bytes:
        """What the guest reads of its mount."""
        return f"seal: {self.seal}\nrollback: {self.rollback}\n".encode()
