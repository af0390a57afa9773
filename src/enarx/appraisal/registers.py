# SPDX-License-Identifier: Apache-2.0
"""Platform configuration registers against a policy's lists, for all that have them.

In TOML: `pcrs = { 0 = ["…"], 4 = ["…", "…"] }`: each register that is named holds one of its
values. A register that is not named is not asked about; a table that names none accepts none.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from enarx.appraisal.expectation import Hex, Unchecked, among, failed, not_among, open_
from enarx.errors import Reason
from enarx.evidence.check import Check, Verdict

Index = Annotated[str, msgspec.Meta(pattern="^([0-9]|[12][0-9]|3[01])$")]
Lists = dict[Index, frozenset[Hex]]
"""Register index, as TOML writes keys, to the values that it may (or may not) hold."""


def registers(
    facts: dict[int, bytes], allowed: Lists | Unchecked, denied: Lists, *, source: str, field: str = "pcrs"
) -> tuple[Check, ...]:
    """One check for each register that either list names.

    facts  index to value; a register that is not there holds nothing that a list could name
    source the policy's section ("policy: nitro"); `field` the key of the allow-list in it
    """
    checks: list[Check] = []
    if isinstance(allowed, str):
        checks.append(open_("PCRs", _named(facts), f"{source}.{field}"))
    elif not allowed:
        checks.append(
            failed("PCRs", Reason.MEASUREMENT_NOT_ACCEPTED, _named(facts), "no register is named", f"{source}.{field}")
        )
    else:
        checks += [_allowed(int(index), facts, values, f"{source}.{field}") for index, values in allowed.items()]
    checks += [_denied(int(index), facts, values, f"{source}.{field}_blacklist") for index, values in denied.items()]
    return tuple(checks)


def _allowed(index: int, facts: dict[int, bytes], values: frozenset[str], source: str) -> Check:
    value = facts.get(index)
    if value is None:
        return failed(f"PCR {index}", Reason.MEASUREMENT_NOT_ACCEPTED, "not in the evidence", "a listed value", source)
    return among(f"PCR {index}", value, values, reason=Reason.MEASUREMENT_NOT_ACCEPTED, source=source)


def _denied(index: int, facts: dict[int, bytes], values: frozenset[str], source: str) -> Check:
    """A register that the evidence does not show may hold anything."""
    name, value = f"PCR {index} not denied", facts.get(index)
    if value is None:
        return Check(name, Verdict.UNDETERMINED, Reason.BOOT_NOT_MEASURED, "not in the evidence", "", source)
    return not_among(name, value, values, reason=Reason.MEASUREMENT_DENIED, source=source)


def _named(facts: dict[int, bytes]) -> str:
    return "registers " + ", ".join(map(str, sorted(facts)))
