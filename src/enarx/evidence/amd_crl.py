# SPDX-License-Identifier: Apache-2.0
"""Whether AMD's root has revoked an intermediate (AMD 57230 section 5, RFC 5280 section 5).

A list that is given must be genuine, current and of this root; none at all leaves a finding.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate, Crl
from enarx.errors import Reason, Undetermined
from enarx.evidence.check import Trail
from enarx.evidence.claims import Window

KNOWN = {"4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1": frozenset({0x20001})}
"""Serials known to be revoked, by SHA-256 of the root: from ARK-Genoa's own CRL of 2022-10-31."""

SOURCE = "AMD 57230 section 5"


class Revocation(msgspec.Struct, frozen=True):
    """What genuine lists of the root say of one intermediate.

    subject  the intermediate's name and serial number, for people
    lists    when each list given is current, oldest first
    revoked  whether any list, or what is known for good, names the intermediate
    """

    subject: str
    lists: tuple[Window, ...]
    revoked: bool


def read_root_crls(
    crls: tuple[bytes, ...], intermediate: Certificate, root: Certificate, *, trail: Trail
) -> Revocation:
    """Read the lists given, each of which must be the root's own and genuine."""
    lists = tuple(Crl(raw) for raw in crls)
    for crl in lists:
        trail.require(
            crl.issuer == root.subject,
            Reason.CHAIN_BROKEN,
            "CRL issuer",
            expectation=root.common_name(),
            source="RFC 5280 5.1.2.3",
        )
        trail.require(
            crl.signed_by(root.public_key),
            Reason.SIGNATURE_INVALID,
            "CRL signature",
            expectation=f"by {root.common_name()}",
            source=SOURCE,
        )
    serial = intermediate.serial
    known = serial in KNOWN.get(sha256(root.raw).hex(), ())
    return Revocation(
        f"{intermediate.common_name()}, serial {serial:#x}",
        tuple(sorted((Window(crl.this_update, crl.next_update) for crl in lists), key=lambda w: w.not_before)),
        known or any(crl.revokes(serial) for crl in lists),
    )


def require_not_revoked(given: Revocation, window: Window, *, when: datetime, trail: Trail) -> Window:
    """The intermediate is not revoked; returns `window` narrowed to that of the newest list.

    The newest list of before `when` counts, and must be current; without any list the trail
    notes `revocation-unchecked`.
    """
    if given.revoked or given.lists:
        trail.require(
            not given.revoked,
            Reason.REVOKED,
            "intermediate not revoked",
            fact=given.subject,
            expectation="on no list of the root",
            source=SOURCE,
        )
    if not given.lists:
        trail.note(
            "AMD chain: revocation, no CRL",
            given.subject,
            reason=Reason.REVOCATION_UNCHECKED,
            source=SOURCE,
            mend="give the root's current CRL",
        )
        return window
    newest = max(given.lists, key=lambda w: (w.not_before <= when, w.not_before))
    trail.require(
        newest.not_before <= when <= newest.not_after,
        Reason.EXPIRED if newest.not_after < when else Reason.NOT_YET_VALID,
        "CRL is current",
        fact=f"{newest.not_before:%Y-%m-%dT%H:%M:%SZ} to {newest.not_after:%Y-%m-%dT%H:%M:%SZ}",
        expectation=f"current at {when:%Y-%m-%dT%H:%M:%SZ}",
        source="RFC 5280 5.1.2.4, 5.1.2.5",
        mend="give the root's current CRL",
        family=Undetermined,
    )
    return window.narrowed(newest.not_before, newest.not_after)
