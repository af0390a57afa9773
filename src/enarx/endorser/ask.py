# SPDX-License-Identifier: Apache-2.0
"""Asking for endorsements: from the cache while it is good, else from the vendor, verified before it is kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from enarx.endorser.request import Answer, Kept, Request, Services, Wanted
from enarx.endorser.store import Store
from enarx.errors import EnarxError, Undetermined


class Asker(Protocol):
    """Something that answers requests: `enarx.endorser.client.Client`, or a test."""

    def ask(self, request: Request) -> Answer:
        """The answer to a request, or `Undetermined`."""
        ...


class Endorser:
    """Gets endorsements. `on_trouble` hears of what could not be got, for a log or a progress line."""

    def __init__(
        self,
        client: Asker,
        store: Store | None = None,
        *,
        services: Services | None = None,
        on_trouble: Callable[[EnarxError], None] = lambda _: None,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._client = client
        self._store = store
        self._on_trouble = on_trouble
        self.services = services or Services()
        self.random = random

    def get(self, wanted: Wanted, *, when: datetime) -> tuple[bytes, ...]:
        """The items of a document; nothing when it cannot be got, which `on_trouble` hears.

        A kept document that is out of date stays better than none: the judge says what it is worth.
        """
        kept = self._store.read(wanted.name(), wanted.verify) if self._store else None
        if kept is not None and (kept.until is None or when <= kept.until):
            return kept.items
        try:
            return self._fetched(wanted).items
        except EnarxError as trouble:
            self._on_trouble(trouble)
            return kept.items if kept is not None else ()

    def _fetched(self, wanted: Wanted) -> Kept:
        answer = self._client.ask(wanted.request)
        if wanted.first is not None:
            wanted.first(answer)
        raw = wanted.pack(answer) if wanted.pack is not None else answer.body
        return self._kept(wanted, raw, wanted.verify(raw))

    def _kept(self, wanted: Wanted, raw: bytes, found: Kept) -> Kept:
        """What counts after `raw`, which holds `found`, has been kept. A cache that cannot be written is no loss."""
        if self._store is None:
            return found
        try:
            return self._store.keep(wanted.name(), raw, found, wanted.verify)
        except EnarxError as trouble:
            self._on_trouble(trouble)
            return found

    def offer(self, wanted: Wanted, given: tuple[bytes, ...], *, when: datetime) -> tuple[bytes, ...]:
        """The newest of what someone gave and what we have or can get, all of it verified.

        Whoever supplied it makes no difference; what does not verify is left out here and left
        to the judge, who sees all that was given.
        """
        best: Kept | None = None
        for raw in (*self.get(wanted, when=when), *given):
            try:
                found = wanted.verify(raw)
            except EnarxError:
                continue
            if best is None or found.rank > best.rank:
                best = self._kept(wanted, raw, found)
        return () if best is None else best.items

    def trouble(self, error: EnarxError) -> None:
        """Something could not be asked for at all."""
        self._on_trouble(error)


def undetermined(error: EnarxError) -> Undetermined:
    """The same reason, as something that could not be found out."""
    return Undetermined(error.reason, error.subject, hint=error.hint)
