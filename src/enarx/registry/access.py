# SPDX-License-Identifier: Apache-2.0
"""Who may publish, and who may fetch.

Three kinds of caller: anyone; a user, by an OpenID Connect token; a Keep, by the certificate that
the Steward issued to it. A Keep's certificate opens the tree of the one package that it names and
nothing else: upstream let any certificate of the CA read every private repository.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from enarx.codec.der import Der
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Reason, Unacceptable, Unauthentic
from enarx.workload import spiffe


class Level(StrEnum):
    """What a token lets its bearer do."""

    READ = "read"
    WRITE = "write"
    MANAGE = "manage"


class Context(StrEnum):
    """What a token lets its bearer do it to."""

    USERS = "drawbridge_users"
    REPOSITORIES = "drawbridge_repositories"
    TAGS = "drawbridge_tags"


EVERY_SCOPE = frozenset(f"{level}:{context}" for level in Level for context in Context)


class Bearer(msgspec.Struct, frozen=True):
    """Whoever a token speaks for: the provider's name for them, and what the token is good for."""

    subject: str
    scopes: frozenset[str]

    def require(self, level: Level, context: Context) -> None:
        """The token has this scope; `manage` has every level."""
        if not self.scopes & {f"{level}:{context}", f"{Level.MANAGE}:{context}"}:
            raise Unacceptable(
                Reason.UNAUTHENTICATED, f"Token is missing a scope for level {level.title()}, context {context}"
            )

    def require_owner(self, user: str, subject: str) -> None:
        """The bearer is the user whose subject is given."""
        if self.subject != subject:
            raise Unacceptable(
                Reason.UNAUTHENTICATED,
                f"You are logged in as `{self.subject}`, and not authorized for user `{user}`",
            )


class Caller(msgspec.Struct, frozen=True):
    """Who asks: what the token and the client certificate of one request prove, if there are any."""

    bearer: Bearer | None = None
    certificate: Certificate | None = None

    def user(self) -> Bearer:
        """The bearer of the token, which there must be."""
        if self.bearer is None:
            raise Unauthentic(Reason.UNAUTHENTICATED, "Bearer token header missing")
        return self.bearer


def keep_package(certificate: Certificate, *, when: datetime) -> bytes | None:
    """The package (32 bytes) that a Keep's certificate names; None for every other certificate.

    TLS has authenticated the chain when the connection opened; a connection may outlive its
    certificate, so the validity is looked at again.
    """
    if not certificate.not_before <= when <= certificate.not_after:
        return None
    # SPIFFE X.509-SVID section 2: "An X.509 SVID MUST contain exactly one URI SAN".
    try:
        uris = _uris(certificate)
        return spiffe.parse(uris[0]).package if len(uris) == 1 else None
    except Malformed:
        return None


def _uris(certificate: Certificate) -> list[str]:
    """The URIs among the subject's alternative names (RFC 5280 section 4.2.1.6)."""
    extension = certificate.extension("2.5.29.17")
    if extension is None:
        return []
    names = Der(extension.value, "subjectAltName").sequence("names")
    found = []
    while names.peek() is not None:
        tag, contents = names.any("name")
        if tag == 0x86:  # uniformResourceIdentifier [6] IA5String
            found.append(contents.decode("ascii", "replace"))
    return found


def may_read_tree(caller: Caller, package: bytes | None, *, any_certificate: bool, when: datetime) -> bool:
    """Whether the caller's certificate opens the tree of `package` (None: not yet published whole).

    any_certificate  upstream's unsafe rule: every certificate of the CA opens every tree
    """
    if caller.certificate is None:
        return False
    if any_certificate:
        return True
    named = keep_package(caller.certificate, when=when)
    return named is not None and named == package
