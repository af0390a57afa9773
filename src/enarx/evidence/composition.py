# SPDX-License-Identifier: Apache-2.0
"""Members of a collection tied to each other by what they sign (docs/formats/collection.md).

Two ties count. A TEE signs over the digests of the others' reports, together with the binding;
or a TEE's report names the attestation key of the TPM whose quote lies beside it. That all of
them answered the same challenge proves only that somebody could ask all of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.codec.digest import sha256, sha384, sha512
from enarx.errors import Misused, Reason
from enarx.evidence import cmw, tpm
from enarx.evidence.anchor import Anchors
from enarx.evidence.authenticate import authenticate
from enarx.evidence.binding import Binding
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.tpm import TpmClaims
from enarx.evidence.tpm_chain import NAMED

TEE = "tee"
"""A TEE's report names the attestation key, and no certificate vouches for it."""
ACTIVATED = "activated"
"""The judge made a credential for a certified endorsement key, and the TPM that has both keys opened it."""
LABEL = b"enarx-members-1"
VERSION = 1
REPORT_DATA = frozenset({Kind.SNP, Kind.TDX, Kind.SGX, Kind.CCA})
"""Kinds with 64 bytes of their own to sign over, and code in them that a policy can name."""
HUBS = REPORT_DATA | {Kind.NITRO, Kind.NITROTPM, Kind.AZURE_SNP_VTPM, Kind.AZURE_TDX_VTPM}
"""Kinds that can collect others; those not above sign over 32 bytes."""


class Ties(msgspec.Struct, frozen=True):
    """What ties the members.

    linked    pairs of positions
    composed  kinds with signed bytes that stand in the place of the binding's digest, because they
              commit to it or to the key that signed it
    """

    linked: frozenset[tuple[int, int]] = frozenset()
    composed: frozenset[tuple[Kind, bytes]] = frozenset()


def authenticate_members(
    members: tuple[Evidence, ...],
    endorsements: tuple[Endorsements, ...],
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
    activated: bytes | None = None,
) -> tuple[Claims, ...]:
    """Claims of each member, in order; `endorsements` has one entry for each.

    As `authenticate` one by one, but for a TPM whose attestation key a TEE's report names: the
    TEE vouches for it (authority "tee") where no certificate does. `activated` is the
    SubjectPublicKeyInfo of an attestation key that the judge itself saw activated.
    """
    if len(members) != len(endorsements):
        raise Misused(Reason.INCONSISTENT, f"{len(members)} members with {len(endorsements)} endorsements")
    pairs = tuple(zip(members, endorsements, strict=True))
    hubs = {
        place: authenticate(one, given, anchors=anchors, when=when, memory=memory)
        for place, (one, given) in enumerate(pairs)
        if one.kind is not Kind.TPM
    }
    reports = frozenset(claims.bound for claims in hubs.values() if claims.kind in REPORT_DATA)
    found: list[Claims] = []
    for place, (one, given) in enumerate(pairs):
        if place in hubs:
            found.append(hubs[place])
        else:
            found.append(_quote(one, given, reports, activated, anchors=anchors, when=when, memory=memory))
    return tuple(found)


def _quote(
    evidence: Evidence,
    endorsements: Endorsements,
    reports: frozenset[bytes],
    activated: bytes | None,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None,
) -> TpmClaims:
    quote = tpm.parse(evidence)
    ak = b"" if quote.key is None else quote.key.spki()
    by_tee = bool(ak) and not reports.isdisjoint(_names(ak))
    vouched = by_tee or (bool(ak) and ak == activated)
    believed = msgspec.structs.replace(anchors, keys=(*anchors.keys, ak)) if vouched else anchors
    claims = tpm.authenticate(quote, endorsements, anchors=believed, when=when, memory=memory)
    if claims.authority == NAMED and ak not in anchors.keys:
        return msgspec.structs.replace(claims, authority=TEE if by_tee else ACTIVATED)
    return claims


def hub_data(kind: Kind, binding: Binding, others: tuple[Evidence, ...]) -> bytes:
    """What a TEE of this kind signs over when it collected `others`, in the order of the collection.

    SHA-512 (SHA-256 where 64 bytes do not fit) of the label, a zero byte, and a map in deterministic CBOR: `v`, `binding` (the
    SHA-512 of the binding that the others answered), `members` (kind, and SHA-256 of all that
    travels of it: two TPMs that booted alike sign the same bytes with different keys).
    """
    table = {
        "v": VERSION,
        "binding": binding.sha512(),
        "members": [[str(one.kind), sha256(cmw.record_value(one))] for one in others],
    }
    document = LABEL + b"\0" + cbor.encode(table)
    return sha512(document) if kind in REPORT_DATA else sha256(document)


def ties(members: tuple[Evidence, ...], claims: tuple[Claims, ...], binding: Binding | None) -> Ties:
    """What ties these members, of which `claims` were authenticated in the same order.

    binding  the map that the verifier built; without one no hub can be recognised
    """
    linked: set[tuple[int, int]] = set()
    composed: set[tuple[Kind, bytes]] = set()
    for place, one in enumerate(claims):
        if one.kind not in HUBS:
            continue
        others = members[:place] + members[place + 1 :]
        if binding is not None and others and one.bound == hub_data(one.kind, binding, others):
            linked |= {(place, other) for other in range(len(members)) if other != place}
            composed.add((one.kind, one.bound))
        for other, quote in enumerate(claims):
            if isinstance(quote, TpmClaims) and one.kind in REPORT_DATA and one.bound in _names(quote.ak):
                linked.add((place, other))
                composed.add((one.kind, one.bound))
    return Ties(frozenset(linked), frozenset(composed))


def _names(ak: bytes) -> frozenset[bytes]:
    """The forms in which report_data names a key: a digest of its SubjectPublicKeyInfo, and zeros."""
    return frozenset(digest(ak).ljust(64, b"\0") for digest in (sha256, sha384, sha512))
