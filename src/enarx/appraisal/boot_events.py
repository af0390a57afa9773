# SPDX-License-Identifier: Apache-2.0
"""A refused register with the event that is to blame: which part of an image was changed.

Reference values list what is measured into a register, by name. That accepts and refuses nothing: a
register decides, and the log that leads to it says where the difference is.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from enarx.evidence.check import Check, Verdict
from enarx.evidence.tpm import Boot

Events = dict[tuple[str, str, str], frozenset[str]]
"""Technology, register and name of what is measured into it, to its digests in hexadecimal."""


def joined(first: Events, more: Iterable[tuple[str, str, str, str]]) -> Events:
    """`first` with more (technology, register, name, digest)."""
    table = dict(first)
    for technology, register, of, digest in more:
        key = technology, register, of
        table[key] = table.get(key, frozenset()) | {digest}
    return table


def named(checks: Iterable[Check], boot: Boot, technology: str, events: Events) -> tuple[Check, ...]:
    """The checks of a boot, each refused register with what is missing from its log, and what is there instead."""
    return tuple(_named(check, boot, technology, events) for check in checks)


def _named(check: Check, boot: Boot, technology: str, events: Events) -> Check:
    register = check.name.removeprefix("PCR ")
    listed = {of: digests for (kind, index, of), digests in events.items() if (kind, index) == (technology, register)}
    if check.verdict is not Verdict.FAILED or not listed:
        return check
    seen = [one for one in boot.events if str(one.register) == register]
    digests = {one.digest.hex() for one in seen}
    missing = [of for of, known in listed.items() if digests.isdisjoint(known)]
    if not missing:
        return check
    known = frozenset[str]().union(*listed.values())
    foreign = next((one for one in seen if one.digest.hex() not in known), None)
    found = "no such event" if foreign is None else f"{foreign.name} {foreign.digest.hex()}"
    mend = f"the log has {found} where {missing[0]} was expected: it was changed, or the reference values are older"
    return msgspec.structs.replace(check, name=f"{check.name}: {', '.join(missing)}", mend=mend)
