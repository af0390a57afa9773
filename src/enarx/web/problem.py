# SPDX-License-Identifier: Apache-2.0
"""How a service says no: an RFC 9457 problem document with our reason and every finding.

An error of `enarx.errors` becomes a document here, and nowhere else; what is our own fault is
told without its details.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from enarx.errors import EnarxError, Malformed, Misused, Reason, Unacceptable, Unauthentic, Undetermined

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "tag:enarx.dev,2026:problem:"
"""Every `type` is this and the reason. A tag URI (RFC 4151): a name, nothing to fetch."""
MAX_FINDINGS = 200
MAX_TEXT = 500

_BY_REASON = {
    Reason.UNAUTHENTICATED: 401,
    Reason.NOT_FOUND: 404,
    Reason.METHOD: 405,
    Reason.ALREADY_EXISTS: 409,
    Reason.NONCE_SPENT: 409,
    Reason.TOO_LARGE: 413,
    Reason.MEDIA_TYPE: 415,
    Reason.RATE_LIMITED: 429,
    Reason.UNREACHABLE: 503,
    Reason.TIMED_OUT: 504,
    Reason.CLOCK: 503,
}
_BY_FAMILY: dict[type[EnarxError], int] = {
    Malformed: 400,
    Misused: 400,
    Unauthentic: 403,
    Unacceptable: 403,
    Undetermined: 422,
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One problem document.

    reason, family  as in `enarx.errors`
    findings        every check that has something to say, each a table with `name`,
                    `verdict`, `reason`, `fact`, `expectation`, `source`, `mend`
    request         the request's identifier, which the service's log has too
    """

    type: str
    title: str
    status: int
    reason: Reason
    family: str
    detail: str = ""
    hint: str = ""
    request: str = ""
    findings: tuple[dict[str, str], ...] = ()

    def encoded(self) -> bytes:
        """The document, JSON."""
        return _encode(self)


_encode = msgspec.json.Encoder().encode


def of(error: EnarxError, *, request: str = "", status: int = 0) -> Problem:
    """The document for an error. What is our own fault keeps its details for the log."""
    ours = error.exit_code == 70
    return Problem(
        type=TYPE_PREFIX + error.reason,
        title=error.reason.replace("-", " "),
        status=status or status_of(error),
        reason=error.reason,
        family=error.family,
        detail="" if ours else _text(error.subject),
        hint="" if ours else _text(error.hint),
        request=request,
        findings=() if ours else findings(error.checks),
    )


def status_of(error: EnarxError) -> int:
    """The HTTP status: the reason's own, else the family's, else 500."""
    if error.exit_code == 70:
        return 500
    return _BY_REASON.get(error.reason) or _BY_FAMILY.get(type(error), 500)


def findings(checks: Iterable[object]) -> tuple[dict[str, str], ...]:
    """The checks that carry a reason, or were left open, as tables of text."""
    told = (_finding(check) for check in checks if isinstance(check, msgspec.Struct))
    return tuple(table for table in told if "reason" in table or table.get("verdict") == "unchecked")[:MAX_FINDINGS]


def _finding(check: msgspec.Struct) -> dict[str, str]:
    table: dict[str, Any] = msgspec.structs.asdict(check)
    return {name: _text(value) for name, value in table.items() if value is not None and value != ""}


def _text(value: object) -> str:
    said = value.hex() if isinstance(value, bytes) else str(value)
    return said if len(said) <= MAX_TEXT else said[:MAX_TEXT] + "…"
