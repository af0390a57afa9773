# SPDX-License-Identifier: Apache-2.0
"""What certificates on an attestation path must and must not say (RFC 5280, beyond the links).

`enarx.evidence.chain` believes the links. This refuses a certificate that asks for something
that the judge does not understand, or that was issued for another use.
"""

from __future__ import annotations

from enarx.codec.x509 import Certificate
from enarx.errors import Reason
from enarx.evidence.check import Trail

BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE = "2.5.29.19", "2.5.29.15", "2.5.29.37"
UNDERSTOOD = frozenset({BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE})
"""Extensions that may be critical, because somebody here looks at them."""


def require_profile(path: tuple[Certificate, ...], *, trail: Trail, name: str) -> None:
    """No unknown critical extension anywhere; issuers may sign certificates; the leaf signs data only.

    `path` is leaf first. Raises `Unauthentic`.
    """
    require_understood(path, trail=trail, name=name)
    leaf, issuers = path[0], path[1:]
    usage = leaf.key_usage()
    trail.require(
        not _says_ca(leaf) and usage is not None and usage.digital_signature and not usage.key_cert_sign,
        Reason.CERTIFICATE_PROFILE,
        f"{name}: leaf signs data and no certificates",
        fact=leaf.name,
        source="RFC 5280 4.2.1.3, 4.2.1.9",
    )
    require_issuers(issuers, trail=trail, name=name)


def require_issuers(issuers: tuple[Certificate, ...], *, trail: Trail, name: str) -> None:
    """Each may sign certificates."""
    for issuer in issuers:
        usage = issuer.key_usage()
        trail.require(
            issuer.is_ca and usage is not None and usage.key_cert_sign,
            Reason.CERTIFICATE_PROFILE,
            f"{name}: issuer signs certificates",
            fact=issuer.name,
            source="RFC 5280 4.2.1.3, 4.2.1.9",
        )


def require_understood(
    path: tuple[Certificate, ...], *, trail: Trail, name: str, more: frozenset[str] = frozenset()
) -> None:
    """No critical extension that nobody here looks at; `more` are those that a kind of certificate has besides."""
    for certificate in path:
        for oid in sorted(certificate.extension_oids() - UNDERSTOOD - more):
            found = certificate.extension(oid)
            # RFC 5280 4.2: "A certificate-using system MUST reject the certificate if it encounters
            # a critical extension it does not recognize".
            if found is not None and found.critical:
                trail.refuse(
                    Reason.CRITICALITY, f"{name}: extension {oid}", fact=certificate.name, source="RFC 5280 4.2"
                )


def _says_ca(certificate: Certificate) -> bool:
    """Whether BasicConstraints says CA:TRUE, whatever keyUsage says; its empty form says FALSE."""
    found = certificate.extension(BASIC_CONSTRAINTS)
    return found is not None and found.value != b"\x30\x00"
