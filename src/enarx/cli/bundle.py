# SPDX-License-Identifier: Apache-2.0
"""One file to judge by, the same years later: evidence, and everything that vouched for it.

`docs/formats/bundle.md` describes it. What its bearer says about policy and time is for the
record; the policy and the time that count come from whoever verifies.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.errors import EnarxError, Malformed, Misused, Reason
from enarx.evidence import cmw, endorsement, intel_collateral
from enarx.evidence.anchor import Anchors, Vendor
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.envelope import Evidence
from enarx.evidence.intel_tcb_info import TcbInfo
from enarx.evidence.memory import Memory

TYPE = "enarx-bundle"
VERSION = 1
MAX_BYTES = 64 << 20
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_HEAD = cbor.encode({"v": VERSION, "type": TYPE})[1:]
_REQUIRED = frozenset({"type", "v", "evidence", "endorsements"})


class Record(msgspec.Struct, frozen=True):
    """What the saver said: shown, never used.

    policy   the bytes of the saver's policy file
    when     the time at which the saver judged, UTC, whole seconds
    verdict  what the saver's judge answered ("accepted", or a family)
    binding  the binding map that the saver expected, or b""
    """

    policy: bytes
    when: datetime
    verdict: str
    binding: bytes = b""


class Bundle(msgspec.Struct, frozen=True):
    """A bundle as received: unjudged evidence, and endorsements for each member, in its order."""

    members: tuple[Evidence, ...]
    endorsements: tuple[Endorsements, ...]
    record: Record | None


def save(members: tuple[Evidence, ...], endorsements: tuple[Endorsements, ...], *, record: Record | None) -> bytes:
    """A bundle's bytes, deterministic: the same content is the same file."""
    if len(members) != len(endorsements):
        raise Misused(Reason.INCONSISTENT, f"bundle of {len(members)} members with {len(endorsements)} endorsements")
    table: dict[str, object] = {
        "type": TYPE,
        "v": VERSION,
        "evidence": cmw.encode(members),
        "endorsements": [endorsement.encode(one) for one in endorsements],
    }
    if record is not None:
        table["record"] = {
            "policy": record.policy,
            "when": record.when.astimezone(UTC).strftime(_TIME),
            "verdict": record.verdict,
            "binding": record.binding,
        }
    return cbor.encode(table)


def is_bundle(raw: bytes) -> bool:
    """Whether a file says that it is a bundle: version and type stand first in the one encoding."""
    return raw[1:].startswith(_HEAD)


def load(raw: bytes) -> Bundle:
    """A bundle; `Malformed` unless it is the one encoding of known keys with the right types."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"bundle: {len(raw)} bytes, at most {MAX_BYTES}")
    table: Any = cbor.decode_canonical(raw, "bundle")
    if not isinstance(table, dict) or table.get("type") != TYPE:
        raise Malformed(Reason.UNKNOWN_KIND, "bundle: type")
    if table.get("v") != VERSION or isinstance(table["v"], bool):
        raise Malformed(Reason.UNKNOWN_VERSION, "bundle: v")
    if missing := _REQUIRED - table.keys():
        raise Malformed(Reason.MISSING, f"bundle: {min(missing)}")
    if unknown := table.keys() - _REQUIRED - {"record"}:
        raise Malformed(Reason.UNKNOWN_KEY, f"bundle: {min(map(str, unknown))!r}")
    members = cmw.decode(_bytes(table["evidence"], "evidence"))
    given = table["endorsements"]
    if not isinstance(given, list) or len(given) != len(members):
        raise Malformed(Reason.INCONSISTENT, "bundle: one entry of endorsements for each member")
    endorsements = tuple(endorsement.decode(_bytes(one, "endorsements")) for one in given)
    return Bundle(members, endorsements, _record(table["record"]) if "record" in table else None)


def _bytes(value: Any, name: str) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed(Reason.WRONG_TYPE, f"bundle: {name}")
    return value


def _record(value: Any) -> Record:
    if not isinstance(value, dict) or value.keys() != {"policy", "when", "verdict", "binding"}:
        raise Malformed(Reason.UNKNOWN_KEY, "bundle: record")
    verdict = value["verdict"]
    if not isinstance(verdict, str) or not isinstance(value["when"], str):
        raise Malformed(Reason.WRONG_TYPE, "bundle: record")
    try:
        when = datetime.strptime(value["when"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise Malformed(Reason.SYNTAX, "bundle: record: when") from None
    return Record(_bytes(value["policy"], "policy"), when, verdict, _bytes(value["binding"], "binding"))


def newest(given: Iterable[Endorsements], *, anchors: Anchors) -> Endorsements:
    """Endorsements of several suppliers for one piece of evidence, as one.

    Every certificate and CRL is kept: the judges take the newest genuine list of an issuer. Of
    Intel's collateral the genuine one with the highest tcbEvaluationDataNumber is kept, so that
    nobody who supplies an older one can hide a newer; without two to compare, the one there is.
    """
    all_of = tuple(given)
    lists = {name: _union(getattr(one, name) for one in all_of) for name in ("certificates", "crls", "rims", "ocsp")}
    intel = tuple(dict.fromkeys(one.intel for one in all_of if one.intel is not None))
    return Endorsements(**lists, intel=_highest(intel, anchors))


def _union(lists: Iterable[tuple[bytes, ...]]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(raw for one in lists for raw in one))


def _highest(given: tuple[IntelCollateral, ...], anchors: Anchors) -> IntelCollateral | None:
    if len(given) < 2:
        return given[0] if given else None
    memory: Memory[Any] = Memory()
    genuine = [(info, one) for one in given if (info := _genuine(one, anchors, memory)) is not None]
    if not genuine:
        return given[0]  # whichever it is, the judge says what is wrong with it
    platform = (genuine[0][0].tee, genuine[0][0].fmspc)
    same = [(info, one) for info, one in genuine if (info.tee, info.fmspc) == platform]
    return max(same, key=lambda pair: (pair[0].evaluation_number, pair[0].issue_date))[1]


def _genuine(given: IntelCollateral, anchors: Anchors, memory: Memory[Any]) -> TcbInfo | None:
    try:
        return intel_collateral.verified(given, anchors.of(Vendor.INTEL), memory=memory).info
    except EnarxError:
        return None
