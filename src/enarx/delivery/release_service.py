# SPDX-License-Identifier: Apache-2.0
"""The Keep's door for secrets: one challenge, one offer, one parcel a connection."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from enarx.delivery.listener import Handler
from enarx.delivery.release import MAX_ASK, MAX_PARCEL, Secrets, parse_ask, parse_parcel
from enarx.delivery.release_keep import Session
from enarx.delivery.tls import Tls
from enarx.errors import Reason, Unacceptable
from enarx.evidence.binding import Binding
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence

PATIENCE = 30.0
"""Seconds for a whole exchange; the tenant judges in between, and may ask a vendor."""

Evidencer = Callable[[Binding], tuple[Evidence, Endorsements]]


class Delivery:
    """Secrets that a Keep waits for. The first parcel of its tenant's fills it, and it takes no other."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self._turn = threading.Lock()
        self._full = False
        self._secrets: Secrets | None = None

    @contextlib.contextmanager
    def put(self, secrets: Secrets) -> Iterator[None]:
        """Keep them; `Unacceptable` when some were here before.

        Who waits for them hears of them at the end of the `with` block: the tenant has its
        receipt by then, whatever becomes of the secrets.
        """
        with self._turn:
            if self._full:
                raise Unacceptable(Reason.ALREADY_EXISTS, "secrets of this keep")
            self._secrets, self._full = secrets, True
        try:
            yield
        finally:
            self._came.set()

    def wait(self, seconds: float) -> bool:
        """Whether they have come within so many seconds."""
        return self._came.wait(seconds)

    def take(self) -> Secrets:
        """The secrets, which are not here afterwards."""
        with self._turn:
            secrets, self._secrets = self._secrets, None
        if secrets is None:
            raise Unacceptable(Reason.MISSING, "secrets of this keep")
        return secrets


def releasing(evidence: Evidencer, delivery: Delivery, *, spki: bytes, launch: bytes) -> Handler:
    """Answer tenants' challenges until one delivers. `spki`: of the key that TLS shows, DER."""

    def handle(tls: Tls) -> None:
        session = Session(parse_ask(tls.receive(MAX_ASK)), spki=spki, launch=launch)
        made, endorsements = evidence(session.binding)
        tls.send(session.offer((made,), endorsements).encoded())
        secrets, receipt = session.take(parse_parcel(tls.receive(MAX_PARCEL)))
        with delivery.put(secrets):
            tls.send(receipt.encoded())

    return handle
