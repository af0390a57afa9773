# SPDX-License-Identifier: Apache-2.0
"""What NVIDIA's OCSP responder said of the certificates of a device, or of a manifest's signer.

A response that is given must be genuine and current. None at all leaves a finding, and a policy
says whether that will do. A certificate on hold is a finding too; a revoked one is the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime

import msgspec

from enarx.codec import ocsp
from enarx.codec.der import Der
from enarx.codec.ocsp import Response, Single, Status
from enarx.codec.x509 import Certificate
from enarx.errors import Reason, Undetermined
from enarx.evidence.chain import require_valid
from enarx.evidence.check import Trail

EXTENDED_KEY_USAGE = "2.5.29.37"
OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"
SOURCE = "RFC 6960"


class Pair(msgspec.Struct, frozen=True):
    """A certificate whose status matters, and its issuer."""

    certificate: Certificate
    issuer: Certificate


def pairs_of(path: tuple[Certificate, ...], *, first: int) -> tuple[Pair, ...]:
    """Each certificate of a path from `first` on, except its root, with its issuer."""
    return tuple(Pair(child, issuer) for child, issuer in itertools.pairwise(path[first:]))


def statuses(
    given: tuple[bytes, ...], pairs: tuple[Pair, ...], *, when: datetime, trail: Trail
) -> dict[Certificate, Status]:
    """The status of each certificate that a response is about, every response checked.

    Raises `Unauthentic` for a response that is not genuine or says "revoked", `Undetermined`
    for one that is not current. Responses about other certificates are noted and left alone.
    Of several about one certificate the newest counts, and none of them may say "revoked".
    """
    found: dict[Certificate, tuple[datetime, Status]] = {}
    for raw in given:
        response = ocsp.parse(raw)
        answers = list(_answers(response, pairs))
        if not answers:
            trail.note("OCSP response", "about none of these certificates", source=SOURCE)
        for issuer in dict.fromkeys(pair.issuer for _, pair in answers):
            _require_responder(response, issuer, when=when, trail=trail, name=f"OCSP of {issuer.common_name()}")
        for single, pair in answers:
            _require_good(single, pair, when=when, trail=trail)
            known = found.get(pair.certificate)
            if known is None or known[0] < single.this_update:
                found[pair.certificate] = (single.this_update, single.status)
    return {certificate: status for certificate, (_, status) in found.items()}


def _answers(response: Response, pairs: tuple[Pair, ...]) -> Iterator[tuple[Single, Pair]]:
    for single in response.singles:
        for pair in pairs:
            if single.concerns(pair.certificate, pair.issuer):
                yield single, pair


def _require_good(single: Single, pair: Pair, *, when: datetime, trail: Trail) -> None:
    name = f"OCSP: {pair.certificate.common_name()}"
    _require_current(single, when=when, trail=trail, name=name)
    trail.require(
        single.status is not Status.REVOKED,
        Reason.REVOKED,
        f"{name} not revoked",
        fact=f"serial {single.serial:#x}",
        source=f"{SOURCE} section 2.2",
    )
    if single.status is not Status.GOOD:
        reason = Reason.REVOKED if single.status is Status.HOLD else Reason.REVOCATION_UNCHECKED
        trail.note(f"{name} status", str(single.status), reason=reason, source="RFC 5280 section 5.3.1")


def _require_responder(response: Response, issuer: Certificate, *, when: datetime, trail: Trail, name: str) -> None:
    """RFC 6960 4.2.2.2: the CA itself, or a certificate that it issued for signing OCSP responses."""
    signer = _signer(response, issuer)
    if signer != issuer:
        trail.require(
            signer.issuer == issuer.subject and signer.signed_by(issuer.public_key),
            Reason.CHAIN_BROKEN,
            f"{name} responder issued by {issuer.common_name()}",
            fact=signer.name,
            source=f"{SOURCE} section 4.2.2.2",
        )
        trail.require(
            OCSP_SIGNING in _extended_usages(signer),
            Reason.CERTIFICATE_PROFILE,
            f"{name} responder may sign responses",
            fact=signer.name,
            source=f"{SOURCE} section 4.2.2.2",
        )
        require_valid(signer, when=when, trail=trail, name=f"{name} responder")
    trail.require(
        response.signed_by(signer.public_key),
        Reason.SIGNATURE_INVALID,
        f"{name} response signature",
        expectation=f"by {signer.common_name()}",
        source=f"{SOURCE} section 4.2.1",
    )


def _signer(response: Response, issuer: Certificate) -> Certificate:
    """Who says to have signed: a certificate sent along that the issuer appointed, else the issuer."""
    others = [one for one in response.certificates if one != issuer]
    appointed = [one for one in others if one.issuer == issuer.subject]
    if appointed:
        return appointed[0]
    return issuer if issuer in response.certificates or not others else others[0]


def _extended_usages(certificate: Certificate) -> frozenset[str]:
    extension = certificate.extension(EXTENDED_KEY_USAGE)
    if extension is None:
        return frozenset()
    usages = Der(extension.value, "extended key usage").sequence("usages")
    found: list[str] = []
    while usages.peek() is not None:
        found.append(usages.oid("usage"))
    return frozenset(found)


def _require_current(single: Single, *, when: datetime, trail: Trail, name: str) -> None:
    """RFC 6960 4.2.2.1. A response without nextUpdate says nothing of any later time."""
    until = single.next_update or single.this_update
    trail.require(
        single.this_update <= when,
        Reason.NOT_YET_VALID,
        f"{name} thisUpdate",
        fact=f"{single.this_update:%Y-%m-%dT%H:%M:%SZ}",
        source=f"{SOURCE} section 4.2.2.1",
        family=Undetermined,
    )
    trail.require(
        when <= until,
        Reason.EXPIRED,
        f"{name} nextUpdate",
        fact=f"{until:%Y-%m-%dT%H:%M:%SZ}",
        expectation=f"current at {when:%Y-%m-%dT%H:%M:%SZ}",
        source=f"{SOURCE} section 4.2.2.1",
        mend="ask the responder again",
        family=Undetermined,
    )
