# SPDX-License-Identifier: Apache-2.0
"""The tenant's door for sealed volumes: releases the root to a Keep that it judged, and holds what is committed."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable
from datetime import datetime

from enarx.delivery.client import connected
from enarx.delivery.release import MAX_OFFER, MAX_RECEIPT, NONCE_SIZE, Ask, parse_offer, parse_receipt
from enarx.delivery.release_tenant import Judged, Terms, judge
from enarx.delivery.sealed import ALPN, MAX_MESSAGE, Book, parse_advance
from enarx.delivery.sealed_service import FOR_EVER
from enarx.errors import Malformed, Reason, Undetermined

Write = Callable[[Book], None]
"""Writes a book down, so that it is there after a power cut; raises EnarxError when it cannot."""


def broker(url: str, book: Book, terms: Terms, *, when: datetime, write: Write, released: Callable[[], None]) -> Judged:
    """Release the root to the Keep at `url` if it is acceptable, and hold its versions until it hangs up.

    A refusal by the terms is in the result (`Judged.refusal`), and then nothing was sealed.
    released  called once the Keep has the root
    """
    ask = Ask(randomness.token_bytes(NONCE_SIZE))
    with connected(url, ALPN) as tls:
        chain = tls.peer_chain()
        if not chain:
            raise Malformed(Reason.MISSING, f"{url}: certificate of the Keep")
        tls.send(ask.encoded())
        judged = judge(parse_offer(tls.receive(MAX_OFFER)), terms, ask=ask, spki=chain[0].spki, when=when)
        if judged.refusal() is not None:
            return judged
        parcel = judged.parcel(book.secrets(), terms.tenant)
        tls.send(parcel.encoded())
        if parse_receipt(tls.receive(MAX_RECEIPT)) != parcel.receipt():
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{url}: a receipt for something else")
        released()
        tls.allow(FOR_EVER)
        while (message := tls.next(MAX_MESSAGE)) is not None:
            advance = parse_advance(message)
            book = book.advanced(advance)
            write(book)
            tls.send(advance.receipt())
    return judged
