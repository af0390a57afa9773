# SPDX-License-Identifier: Apache-2.0
"""`vector.json` as a value: what a capture is, and what must come of judging it.

A key that is not listed here is an error, so that no expectation is skipped because nobody
knew of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class TrustedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key that the caller names as trusted, and the answer without it."""

    file: str
    role: str
    without: str


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One judgement, at its own time (None: no certificate limits it)."""

    when: datetime | None
    verdict: str
    families: tuple[str, ...] = ()
    debug: bool | None = None
    anchors: str | None = None
    trusted_key: TrustedKey | None = None
    collateral: str | None = None
    tcb: dict[str, str | None] | None = None
    tcb_info_version: int | None = None
    tcb_evaluation_data_number: int | None = None
    signing_key: str | None = None
    product: str | None = None
    rtmr: dict[str, bool] | None = None
    dcap_qvl_0_7_0: Any = None
    why: str | None = None


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One capture. `files` are the names; their bytes are handed over beside it."""

    kind: str
    name: str
    evidence: str
    files: tuple[str, ...]
    cases: tuple[Case, ...]
    claims: dict[str, Any] = {}
    format: str | None = None
    source: Any = None
    why: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of judging one case; a judge fills what it knows.

    verdict  "authentic", "replay", or the error family ("malformed", "unauthentic",
             "unacceptable", "undetermined")
    reason   why, for the line that people read
    debug    whether the genuine evidence comes from a machine that can be looked into
    tcb      statuses of platform, tdx_module and qe (Intel)
    claims   the facts by their names in the descriptor
    """

    verdict: str
    reason: str = ""
    debug: bool | None = None
    tcb: dict[str, str | None] | None = None
    tcb_info_version: int | None = None
    tcb_evaluation_data_number: int | None = None
    signing_key: str | None = None
    product: str | None = None
    rtmr: dict[str, bool] | None = None
    claims: dict[str, Any] = {}
