# SPDX-License-Identifier: Apache-2.0
"""The Keep's door for its broker: takes the sealing root once, and has versions held for as long as it lives."""

from __future__ import annotations

import threading
from typing import Protocol

from enarx.delivery.listener import Handler
from enarx.delivery.release import MAX_ASK, MAX_PARCEL, parse_ask, parse_parcel
from enarx.delivery.release_keep import Session
from enarx.delivery.release_service import Evidencer
from enarx.delivery.sealed import MAX_MESSAGE, Advance, Book, parse_book
from enarx.errors import EnarxError, Reason, Unacceptable, Undetermined

PATIENCE = 10.0
"""Seconds that a broker has to hold a version, and a Keep waits for one that comes again."""
FOR_EVER = 1e9


class Wire(Protocol):
    """The connection to a broker."""

    def allow(self, seconds: float) -> None:
        """Time for what comes next."""

    def send(self, message: bytes) -> None:
        """One message."""

    def receive(self, limit: int) -> bytes:
        """The next message."""


class Broker:
    """The broker of one Keep's volume, present or not. Any thread may call.

    book  what it said first; later ones must be of the same root
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._wire: Wire | None = None
        self.book: Book | None = None

    def wait(self, seconds: float) -> bool:
        """Whether a broker has come within so many seconds."""
        with self._change:
            return self._change.wait_for(lambda: self.book is not None, seconds)

    def attach(self, wire: Wire, book: Book) -> None:
        """Serve through this connection from now on; `Unacceptable` for another root than the first one."""
        with self._change:
            if self.book is not None and self.book.root != book.root:
                raise Unacceptable(Reason.ALREADY_EXISTS, "sealing root of this keep")
            if self.book is None:
                self.book = book
            self._wire = wire
            self._change.notify_all()

    def attached(self, wire: Wire) -> None:
        """Wait until this connection is no longer the one."""
        with self._change:
            self._change.wait_for(lambda: self._wire is not wire)

    def detach(self) -> None:
        """The Keep ends."""
        with self._change:
            self._wire = None
            self._change.notify_all()

    def hold(self, version: int, digest: bytes) -> None:
        """Have a commit written down; `Undetermined` when no broker does."""
        advance = Advance(version, digest)
        with self._change:
            if not self._change.wait_for(lambda: self._wire is not None, PATIENCE):
                raise Undetermined(Reason.UNREACHABLE, "sealed volume: no broker holds its version")
            wire = self._wire
        if wire is None:
            raise Undetermined(Reason.UNREACHABLE, "sealed volume: no broker holds its version")
        try:
            wire.allow(PATIENCE)
            wire.send(advance.encoded())
            answered = wire.receive(MAX_MESSAGE)
            if answered != advance.receipt():
                raise Undetermined(Reason.UNEXPECTED_ANSWER, "sealed volume: the broker holds something else")
            wire.allow(FOR_EVER)
        except EnarxError:
            self.detach()
            raise


def brokering(evidence: Evidencer, broker: Broker, *, spki: bytes, launch: bytes) -> Handler:
    """Answer challenges of the tenant's broker. `spki`: of the key that TLS shows, DER."""

    def handle(tls: Wire) -> None:
        session = Session(parse_ask(tls.receive(MAX_ASK)), spki=spki, launch=launch)
        made, endorsements = evidence(session.binding)
        tls.send(session.offer((made,), endorsements).encoded())
        secrets, receipt = session.take(parse_parcel(tls.receive(MAX_PARCEL)))
        book = parse_book(secrets)
        tls.send(receipt.encoded())
        tls.allow(FOR_EVER)
        broker.attach(tls, book)
        broker.attached(tls)

    return handle
