# SPDX-License-Identifier: Apache-2.0
"""The Keep's side of one release: what it offers for a challenge, and what it takes for it. No IO here."""

from __future__ import annotations

from enarx.codec.digest import sha256
from enarx.delivery.release import Ask, Offer, Parcel, Receipt, Secrets, parse_secrets
from enarx.delivery.release_seal import OneTimeKey, require_tenant, signed
from enarx.errors import Reason, Unacceptable
from enarx.evidence import cmw
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.workload import launch as launch_document


class Session:
    """One challenge of a tenant. Its one-time key was made for it and opens one parcel."""

    def __init__(self, ask: Ask, *, spki: bytes, launch: bytes) -> None:
        """`spki`: of the key that TLS shows, DER; `launch`: the launch document."""
        key = OneTimeKey()
        self._tenant = launch_document.parse(launch).tenant
        self._launch = launch
        self._key: OneTimeKey | None = key
        self._public = key.public
        self.binding = Binding(
            purpose=Purpose.RELEASE,
            spki=spki_digest(spki),
            nonce=ask.nonce,
            launch=sha256(launch),
            hpke=key.public,
        )

    def offer(self, evidence: tuple[Evidence, ...], endorsements: Endorsements) -> Offer:
        """What to answer, with evidence that the hardware made over `binding`."""
        return Offer(evidence=cmw.encode(evidence), endorsements=endorsements, launch=self._launch, hpke=self._public)

    def take(self, parcel: Parcel) -> tuple[Secrets, Receipt]:
        """The secrets in the first parcel that comes; whether or not it opens, there is no second try.

        `Unauthentic` when the tenant of the launch document did not sign it for this challenge,
        or it is sealed to another key; `Unacceptable` for a second parcel.
        """
        key, self._key = self._key, None
        if key is None:
            raise Unacceptable(Reason.NONCE_SPENT, "one-time key: used already")
        require_tenant(self._tenant, parcel.signature, signed(self.binding, parcel.sealed))
        return parse_secrets(key.open(parcel.sealed, self.binding)), parcel.receipt()
