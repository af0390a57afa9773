# SPDX-License-Identifier: Apache-2.0
"""The tenant's door for secrets: asks a running Keep, judges it, and only then hands them over."""

from __future__ import annotations

import secrets as randomness
from datetime import datetime

from enarx.delivery.client import connected
from enarx.delivery.release import (
    ALPN,
    MAX_OFFER,
    MAX_RECEIPT,
    NONCE_SIZE,
    Ask,
    Secrets,
    parse_offer,
    parse_receipt,
)
from enarx.delivery.release_tenant import Judged, Terms, judge
from enarx.errors import Malformed, Reason, Undetermined


def release(url: str, secrets: Secrets, terms: Terms, *, when: datetime) -> Judged:
    """Hand `secrets` to the Keep at `url` if it is acceptable; the result says which.

    A refusal by the terms is in the result (`Judged.refusal`), and then nothing was sealed.
    Raises what authentication raises, and `Undetermined` when the Keep does not say that it
    has the secrets.
    """
    ask = Ask(randomness.token_bytes(NONCE_SIZE))
    with connected(url, ALPN) as tls:
        chain = tls.peer_chain()
        if not chain:
            raise Malformed(Reason.MISSING, f"{url}: certificate of the Keep")
        tls.send(ask.encoded())
        offer = parse_offer(tls.receive(MAX_OFFER))
        judged = judge(offer, terms, ask=ask, spki=chain[0].spki, when=when)
        if judged.refusal() is None:
            parcel = judged.parcel(secrets, terms.tenant)
            tls.send(parcel.encoded())
            if parse_receipt(tls.receive(MAX_RECEIPT)) != parcel.receipt():
                raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{url}: a receipt for something else")
    return judged
