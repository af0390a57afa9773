# SPDX-License-Identifier: Apache-2.0
"""Who may change policies and revoke certificates, and what trying a policy tells them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from sqlalchemy import Engine, update

from enarx.appraisal.policy import Loaded
from enarx.codec import toml
from enarx.codec.digest import same, sha256
from enarx.errors import EnarxError, Misused, Reason, Unauthentic
from enarx.evidence.anchor import Anchors
from enarx.identity import judgement
from enarx.identity.audit import Sample
from enarx.identity.message import AttestRequest
from enarx.identity.schema import ISSUED

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})+$", max_length=256)]
REASONS = {"unspecified": 0, "key-compromise": 1, "ca-compromise": 2, "affiliation-changed": 3, "superseded": 4}


class Administrator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person: `token_sha256` is the SHA-256 of their token, hexadecimal, so that the file gives none away."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
    token_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    administrator: tuple[Administrator, ...]


def load(text: bytes, where: str) -> tuple[Administrator, ...]:
    """The administrators of a file: `[[administrator]]` with `name` and `token_sha256`."""
    _, table = toml.parse(text, where)
    try:
        found = msgspec.convert(table, _File).administrator
    except msgspec.ValidationError as error:
        raise Misused(Reason.SYNTAX, f"{where}: {error}") from None
    if len({one.name for one in found}) != len(found) or len({one.token_sha256 for one in found}) != len(found):
        raise Misused(Reason.DUPLICATE, f"{where}: two administrators with one name or token")
    return found


def recognised(header: str, administrators: tuple[Administrator, ...]) -> Administrator:
    """Whose token an Authorization header has (RFC 6750). `Unauthentic` when nobody's."""
    scheme, _, token = header.partition(" ")
    digest = sha256(token.strip().encode())
    for one in administrators:
        if scheme.lower() == "bearer" and same(digest, bytes.fromhex(one.token_sha256)):
            return one
    raise Unauthentic(Reason.UNAUTHENTICATED, "administrator", hint="Authorization: Bearer TOKEN")


class Revocation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which live certificates are to be revoked: all that match every field given, at least one."""

    serial: Hex | None = None
    measurement: Hex | None = None
    package: Hex | None = None
    launch: Hex | None = None
    platform: Hex | None = None
    policy: str | None = None
    reason: str = "unspecified"


def revoke(engine: Engine, tenant: str, wanted: Revocation, *, when: datetime) -> int:
    """Revoke; how many. `Misused` when nothing is named, or the reason is not one of RFC 5280's."""
    if wanted.reason not in REASONS:
        raise Misused(Reason.UNKNOWN_VALUE, f"reason {wanted.reason!r}", hint=", ".join(REASONS))
    named = {
        ISSUED.c.serial: bytes.fromhex(wanted.serial).rjust(20, b"\0") if wanted.serial else None,
        ISSUED.c.measurement: wanted.measurement,
        ISSUED.c.package: bytes.fromhex(wanted.package) if wanted.package else None,
        ISSUED.c.launch: bytes.fromhex(wanted.launch) if wanted.launch else None,
        ISSUED.c.platform: wanted.platform,
        ISSUED.c.policy: wanted.policy,
    }
    conditions = [column == value for column, value in named.items() if value is not None]
    if not conditions:
        raise Misused(
            Reason.MISSING, "what to revoke", hint="a serial, measurement, package, launch, platform or policy"
        )
    live = (ISSUED.c.tenant == tenant, ISSUED.c.revoked.is_(None), ISSUED.c.until > when.timestamp())
    change = update(ISSUED).where(*live, *conditions)
    with engine.begin() as connection:
        done = connection.execute(change.values(revoked=when.timestamp(), reason=REASONS[wanted.reason]))
    return int(done.rowcount)


class Tried(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a policy would have said to one of the last requests."""

    time: float
    policy: str
    was_accepted: bool
    accepted: bool
    reason: str = ""
    detail: str = ""


def try_on(loaded: Loaded, samples: list[Sample], anchors: Anchors) -> list[Tried]:
    """Judge the last requests again by another policy, each at the time when it came."""
    return [_tried(loaded, sample, anchors) for sample in samples]


def _tried(loaded: Loaded, sample: Sample, anchors: Anchors) -> Tried:
    said: dict[str, Any] = {"time": sample.time, "policy": sample.policy, "was_accepted": bool(sample.accepted)}
    try:
        asked = msgspec.json.decode(sample.body, type=AttestRequest)
        when = datetime.fromtimestamp(sample.time, UTC)
        appraisal, _ = judgement.judge(asked, judgement.read(asked), loaded, anchors=anchors, when=when)
        appraisal.accepted()
    except EnarxError as error:
        return Tried(**said, accepted=False, reason=error.reason, detail=error.subject)
    return Tried(**said, accepted=True)
