# SPDX-License-Identifier: Apache-2.0
"""The story of one Keep, as a table: in which state it does what, and where that leads.

There is one way forward and no way back. Whatever is refused ends the story; no step is tried
in a weaker form.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How far a Keep has come."""

    OPENED = "opened"
    """The launch document is read; nothing outside it steers the Keep from here on."""
    KEYED = "keyed"
    """The identity key was made, inside, and never leaves."""
    CHALLENGED = "challenged"
    """The Steward named in the launch document gave a nonce for this launch."""
    ATTESTED = "attested"
    """The hardware signed over key, nonce and launch digest."""
    IDENTIFIED = "identified"
    """The Steward accepted the evidence and issued a certificate."""
    DELIVERED = "delivered"
    """The package is here, and every digest of it holds."""
    RUNNING = "running"
    """The guest's process was started."""
    ENDED = "ended"
    """The guest has ended, or the Keep was stopped."""
    REFUSED = "refused"
    """A step was refused; the reason was reported."""


class Act(StrEnum):
    """What a Keep does to come from one state to the next."""

    MAKE_KEY = "make-key"
    ASK_NONCE = "ask-nonce"
    MAKE_EVIDENCE = "make-evidence"
    ASK_IDENTITY = "ask-identity"
    FETCH = "fetch"
    START = "start"
    WAIT = "wait"


TABLE: dict[State, tuple[Act, State]] = {
    State.OPENED: (Act.MAKE_KEY, State.KEYED),
    State.KEYED: (Act.ASK_NONCE, State.CHALLENGED),
    State.CHALLENGED: (Act.MAKE_EVIDENCE, State.ATTESTED),
    State.ATTESTED: (Act.ASK_IDENTITY, State.IDENTIFIED),
    State.IDENTIFIED: (Act.FETCH, State.DELIVERED),
    State.DELIVERED: (Act.START, State.RUNNING),
    State.RUNNING: (Act.WAIT, State.ENDED),
}
"""Delivery stands behind identity: a Keep that was not identified has nothing to run."""

FINAL = frozenset({State.ENDED, State.REFUSED})
