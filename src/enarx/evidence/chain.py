# SPDX-License-Identifier: Apache-2.0
"""A certificate path from a leaf to a pinned root (RFC 5280 section 6, the parts vendors use).

The caller gives the path in order; nothing here searches. Vendors' paths have fixed shapes, and
a path builder is one more thing that hostile input can steer.
"""

from __future__ import annotations

import itertools
from datetime import datetime

from enarx.codec.x509 import Certificate, Crl
from enarx.errors import Reason, Undetermined
from enarx.evidence.check import Trail
from enarx.evidence.claims import Window


def authenticate_chain(
    path: tuple[Certificate, ...],
    roots: tuple[Certificate, ...],
    *,
    when: datetime,
    trail: Trail,
    name: str,
    source: str = "RFC 5280 section 6.1",
) -> Window:
    """Believe `path` (leaf first) because its last certificate is one of `roots`.

    A root is believed because its bytes are listed; its self-signature adds nothing. Returns
    the time in which the whole path is valid. Raises `Unauthentic` at the first link that fails.
    """
    authenticate_links(path, roots, trail=trail, name=name, source=source)
    for certificate in path:
        require_valid(certificate, when=when, trail=trail, name=name)
    return window_of(path)


def window_of(path: tuple[Certificate, ...]) -> Window:
    """The time in which every certificate of the path is valid."""
    return Window(max(c.not_before for c in path), min(c.not_after for c in path))


def authenticate_links(
    path: tuple[Certificate, ...],
    roots: tuple[Certificate, ...],
    *,
    trail: Trail,
    name: str,
    source: str = "RFC 5280 section 6.1",
) -> None:
    """The part of `authenticate_chain` that no time changes, and that a memory may keep."""
    root = path[-1]
    trail.require(
        root in roots,
        Reason.UNKNOWN_ANCHOR,
        f"{name}: root",
        fact=root.name,
        expectation=" or ".join(r.name for r in roots) or "no root is trusted for this vendor",
        source="trust anchors",
        mend="evidence of a test or pre-production part is believed only with --anchors FILE --unsafe-anchors",
    )
    for depth, (child, issuer) in enumerate(itertools.pairwise(path)):
        _link(child, issuer, depth, trail, name, source)


def _link(child: Certificate, issuer: Certificate, depth: int, trail: Trail, name: str, source: str) -> None:
    label = f"{name}: {child.common_name() or 'certificate'}"
    trail.require(
        child.issuer == issuer.subject, Reason.CHAIN_BROKEN, f"{label} issuer", expectation=issuer.name, source=source
    )
    trail.require(
        issuer.is_ca, Reason.CERTIFICATE_PROFILE, f"{label} issuer is a CA", fact=issuer.name, source="RFC 5280 4.2.1.9"
    )
    trail.require(
        issuer.path_length is None or issuer.path_length >= depth,
        Reason.CERTIFICATE_PROFILE,
        f"{label} path length",
        fact=depth,
        source="RFC 5280 4.2.1.9",
    )
    trail.require(
        child.signed_by(issuer.public_key),
        Reason.SIGNATURE_INVALID,
        f"{label} signature",
        expectation=f"by {issuer.common_name()}",
        source=source,
    )


def require_valid(certificate: Certificate, *, when: datetime, trail: Trail, name: str) -> None:
    """The certificate's validity contains `when`."""
    label = f"{name}: {certificate.common_name() or 'certificate'} validity"
    trail.require(
        certificate.not_before <= when,
        Reason.NOT_YET_VALID,
        label,
        fact=f"from {certificate.not_before:%Y-%m-%dT%H:%M:%SZ}",
        expectation=f"valid at {when:%Y-%m-%dT%H:%M:%SZ}",
        source="RFC 5280 4.1.2.5",
    )
    trail.require(
        when <= certificate.not_after,
        Reason.EXPIRED,
        label,
        fact=f"until {certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
        expectation=f"valid at {when:%Y-%m-%dT%H:%M:%SZ}",
        source="RFC 5280 4.1.2.5",
        mend="judge it at the time it was made: --at TIME",
    )


def require_not_revoked(
    certificate: Certificate, crl: Crl, issuer: Certificate, *, when: datetime, trail: Trail, name: str
) -> Window:
    """`crl` is genuine, current, of `issuer`, and does not list `certificate`.

    Returns the CRL's window. A CRL that is not current leaves the question open
    (`Undetermined`); one that is not genuine is `Unauthentic`.
    """
    label = f"{name}: CRL of {issuer.common_name()}"
    trail.require(crl.issuer == issuer.subject, Reason.CHAIN_BROKEN, f"{label} issuer", source="RFC 5280 5.1.2.3")
    trail.require(crl.signed_by(issuer.public_key), Reason.SIGNATURE_INVALID, f"{label} signature", source="RFC 5280 5")
    trail.require(
        crl.this_update <= when,
        Reason.NOT_YET_VALID,
        f"{label} thisUpdate",
        fact=f"{crl.this_update:%Y-%m-%dT%H:%M:%SZ}",
        source="RFC 5280 5.1.2.4",
        family=Undetermined,
    )
    trail.require(
        when <= crl.next_update,
        Reason.EXPIRED,
        f"{label} nextUpdate",
        fact=f"{crl.next_update:%Y-%m-%dT%H:%M:%SZ}",
        expectation=f"current at {when:%Y-%m-%dT%H:%M:%SZ}",
        source="RFC 5280 5.1.2.5",
        mend="give a current CRL",
        family=Undetermined,
    )
    trail.require(
        not crl.revokes(certificate.serial),
        Reason.REVOKED,
        f"{name}: {certificate.common_name()} not revoked",
        fact=f"serial {certificate.serial:#x}",
        source=label,
    )
    return Window(crl.this_update, crl.next_update)
