# SPDX-License-Identifier: Apache-2.0
"""The Steward's time, signed over a nonce of the asker's: what it proves, and how far it can be off.

The Steward read its clock after the question left and before the answer came. So now is that time, at
least, and at most as much later as both took together, by a clock of our own that nobody sets.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from enarx.appraisal import jws
from enarx.appraisal.jws import base64url
from enarx.codec.x509 import Certificate, PublicKey
from enarx.errors import Malformed, Reason, Unacceptable, Unauthentic

TYPE = "enarx-time+jwt"
_LAST = 253402300799999
"""The end of year 9999, in milliseconds."""


class Moment(msgspec.Struct, frozen=True):
    """Now lies between these two."""

    earliest: datetime
    latest: datetime

    def later(self, passed: timedelta) -> Moment:
        """The same after `passed`."""
        return Moment(self.earliest + passed, self.latest + passed)


def read(token: str, key: PublicKey, nonce: bytes) -> datetime:
    """The time in a token that `key` signed over `nonce`. `Malformed` or `Unauthentic` otherwise."""
    claims = jws.verify(token, key, kind=TYPE)
    if not isinstance(claims, dict) or claims.get("eat_nonce") != base64url(nonce):
        raise Unauthentic(Reason.NONCE_MISMATCH, "signed time: over another nonce")
    time = claims.get("time_ms")
    if not isinstance(time, int) or isinstance(time, bool) or not 0 <= time <= _LAST:
        raise Malformed(Reason.WRONG_TYPE, "signed time: time_ms")
    return datetime.fromtimestamp(time / 1000, UTC)


def require_valid(certificate: Certificate, now: Moment) -> None:
    """The certificate is valid at whichever end of the moment is worse for it."""
    if now.latest > certificate.not_after:
        raise Unacceptable(Reason.EXPIRED, f"{certificate.name}: until {certificate.not_after.isoformat()}")
    if now.earliest < certificate.not_before:
        raise Unacceptable(Reason.NOT_YET_VALID, f"{certificate.name}: from {certificate.not_before.isoformat()}")
