# SPDX-License-Identifier: Apache-2.0
"""When a Keep asks for its next certificate: half-way through the life of the one it has.

A Steward that refuses or does not answer is asked again, more often towards the end; the Keep
goes on under the certificate it has, which ends when it ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta

AT_LEAST = timedelta(seconds=5)
"""Between two attempts."""
AT_MOST = timedelta(minutes=10)


def due(not_before: datetime, not_after: datetime) -> datetime:
    """The first attempt for a certificate with this validity."""
    return not_before + (not_after - not_before) / 2


def again(not_after: datetime, *, when: datetime) -> datetime:
    """The next attempt after one that failed at `when`: a tenth of what is left, within bounds."""
    return when + min(AT_MOST, max(AT_LEAST, (not_after - when) / 10))
