# SPDX-License-Identifier: Apache-2.0
"""What is known once the signature holds.

Each format has its own `Claims` class beside its parser (`SnpClaims` in `snp.py`, …), because a
field means what its vendor says. What all of them share is here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.evidence.check import Check
from enarx.evidence.kind import Kind


class Window(msgspec.Struct, frozen=True):
    """The time in which everything that vouched for the claims was valid at once."""

    not_before: datetime
    not_after: datetime

    def narrowed(self, not_before: datetime, not_after: datetime) -> Window:
        """The common part of this window and another."""
        return Window(max(self.not_before, not_before), min(self.not_after, not_after))


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """Authenticated claims: the base of every format's own class.

    kind     the format of the evidence
    anchors  the name of the anchor set that vouched ("production", "simulated", …)
    bound    the bytes over which the hardware signed for its user (report_data, nonce, …)
    launch   the field in which the launcher placed the launch digest (HOST_DATA, MRCONFIGID,
             CONFIGID), or None where the format has none
    window   when every endorsement was valid; None where nothing has a time (CCA, PSA, GPU)
    checks   every check that authentication made, in order
    """

    kind: Kind
    anchors: str
    bound: bytes
    launch: bytes | None
    window: Window | None
    checks: tuple[Check, ...]

    def facts(self) -> dict[str, Any]:
        """The claims as plain JSON values, named as in the vectors: bytes as lower-case hex."""
        raise NotImplementedError

    def debug(self) -> bool:
        """Whether the machine that made the evidence can be looked into."""
        raise NotImplementedError
