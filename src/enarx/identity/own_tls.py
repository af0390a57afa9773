# SPDX-License-Identifier: Apache-2.0
"""The TLS certificate that a tenant's CA makes for the Steward itself: in files, made again before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from enarx.errors import EnarxError
from enarx.identity.authority import Authority
from enarx.identity.ca import SERVICE_LIFETIME, service_certificate
from enarx.identity.clock import Clock
from enarx.web.tls import TlsFiles

EVERY = 3600.0
"""Seconds between two looks at its age; the listener loads a new one by itself."""


class OwnCertificate:
    """One certificate, with a key that lasts as long as this run."""

    def __init__(self, authority: Authority, names: Sequence[str], folder: Path, *, when: datetime) -> None:
        folder.mkdir(mode=0o700)
        self.files = TlsFiles(certificate=folder / "tls.crt", key=folder / "tls.key")
        self._authority = authority
        self._names = names
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._task: asyncio.Task[None] | None = None
        self.make(when)

    def make(self, when: datetime) -> None:
        """Issue it and write it, as a whole."""
        serial = secrets.randbits(126) | 1 << 126
        chain, key = service_certificate(self._authority, self._names, when=when, serial=serial, key=self._key)
        self._made = when
        if not self.files.key.exists():
            self.files.key.touch(mode=0o600)
            self.files.key.write_bytes(key)
        fresh = self.files.certificate.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(chain)
        fresh.replace(self.files.certificate)

    def refresh(self, when: datetime) -> None:
        """Make it again when a third of its life is over."""
        if when - self._made > SERVICE_LIFETIME / 3:
            self.make(when)

    async def follow(self, clock: Clock) -> None:
        """Look at it from here on."""
        self._task = asyncio.create_task(self._run(clock))

    async def leave(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, clock: Clock) -> None:
        while True:
            await asyncio.sleep(EVERY)
            with contextlib.suppress(EnarxError, OSError):  # the old one has weeks yet
                self.refresh(clock.now())
