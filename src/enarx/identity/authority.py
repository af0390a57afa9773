# SPDX-License-Identifier: Apache-2.0
"""A certificate authority and what it issues. Pure: time, serial number and key are arguments.

A CA whose subject has one of the words `simulated`, `none`, `legacy` issues only identities of
that kind, and one without them issues only identities that real hardware vouched for.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from enarx.appraisal.result import Accepted, Appraisal
from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Misused, Reason, Unacceptable, Undetermined
from enarx.identity import log, profile, vouched
from enarx.identity.request import Request
from enarx.identity.signer import Signer
from enarx.identity.vouched import WORDS
from enarx.workload.launch import Launch
from enarx.workload.spiffe import SpiffeId

BACKDATED = timedelta(seconds=60)
"""Clocks of relying parties may be this far behind ours."""
SHORTEST = timedelta(seconds=60)
"""A certificate that would end sooner is not worth issuing."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy grants beside the identity itself.

    lifetime  at most; the endorsements and the CA's own end come first
    dns       DNS names that a certificate under this policy has
    """

    lifetime: timedelta = timedelta(hours=24)
    dns: tuple[str, ...] = ()


class Authority:
    """A CA certificate, its key, and what every certificate of it has in common."""

    def __init__(
        self,
        path: tuple[Certificate, ...],
        signer: Signer,
        *,
        trust_domain: str,
        crl_url: str = "",
        ocsp_url: str = "",
    ) -> None:
        """`path`: the CA's own certificate, then its issuers. `Misused` when the key is another's."""
        self.path = path
        self.signer = signer
        self.trust_domain = SpiffeId(trust_domain, bytes(32), bytes(32)).trust_domain
        own = path[0]
        if own.spki != signer.spki:
            raise Misused(Reason.KEY_INVALID, f"the key given is not that of {own.name}")
        if not own.is_ca:
            raise Misused(Reason.CERTIFICATE_PROFILE, f"{own.name} is not a CA")
        said = own.name.lower()
        self.words = frozenset(word for word in WORDS if word in said)
        self.key_identifier = _subject_key_of(own)
        pointers = (profile.crl_point(crl_url) if crl_url else b"", profile.ocsp_point(ocsp_url) if ocsp_url else b"")
        self._common = (
            profile.LEAF_BASIC,
            profile.LEAF_USAGE,
            profile.LEAF_EXTENDED,
            profile.authority_key(self.key_identifier),
            *filter(None, pointers),
        )

    @property
    def certificate(self) -> Certificate:
        """The CA's own certificate."""
        return self.path[0]

    @functools.cached_property
    def spki_digest(self) -> bytes:
        """SHA-256 of its SubjectPublicKeyInfo: what launch documents and clients pin."""
        return sha256(self.signer.spki)

    def draft(
        self,
        *,
        serial: int,
        subject: bytes,
        spki: bytes,
        not_before: datetime,
        not_after: datetime,
        uri: str,
        dns: Sequence[str] = (),
        addresses: Sequence[bytes] = (),
        extensions: tuple[bytes, ...] = (),
    ) -> Draft:
        """An end-entity certificate with one URI at most (X.509-SVID section 2)."""
        identifier = profile.subject_key(profile.key_identifier(spki))
        uris = [uri] if uri else []
        names = (profile.alternative_names(uris, dns, addresses),) if uris or (*dns, *addresses) else ()
        return Draft(
            self,
            serial=serial,
            subject=subject,
            spki=spki,
            not_before=not_before,
            not_after=not_after,
            name=uri,
            extensions=(*self._common, identifier, *names, *extensions),
        )


class Draft:
    """A certificate before it is signed."""

    __slots__ = ("_authority", "_extensions", "_fields", "name", "not_after", "serial")

    def __init__(
        self,
        authority: Authority,
        *,
        serial: int,
        subject: bytes,
        spki: bytes,
        not_before: datetime,
        not_after: datetime,
        name: str,
        extensions: tuple[bytes, ...],
    ) -> None:
        self._authority = authority
        self._fields = (serial, subject, spki, not_before)
        self._extensions = extensions
        self.serial = serial
        self.not_after = not_after
        self.name = name

    def signed_part(self, *more: bytes) -> bytes:
        """The TBSCertificate, with these extensions at its end."""
        serial, subject, spki, not_before = self._fields
        return profile.tbs(
            serial=serial,
            algorithm=self._authority.signer.algorithm,
            issuer=self._authority.certificate.subject,
            not_before=not_before,
            not_after=self.not_after,
            subject=subject,
            spki=spki,
            extensions=(*self._extensions, *more),
        )

    def entry(self, time: int) -> bytes:
        """What the log says of it; `time` in milliseconds since the epoch."""
        return log.entry(
            issuer_spki=self._authority.signer.spki,
            serial=self.serial,
            name=self.name,
            until=int(self.not_after.timestamp()),
            signed_part=self.signed_part(),
            time=time,
        )

    def certificate(self, *more: bytes) -> bytes:
        """The certificate, DER."""
        signer = self._authority.signer
        body = self.signed_part(*more)
        return profile.certificate(body, signer.algorithm, signer.sign(body))


def require_words(authority: Authority, words: frozenset[str]) -> None:
    """`authority` may issue an identity of these words; `Unacceptable` otherwise."""
    missing = words - authority.words
    if missing:
        said = " and ".join(sorted(missing))
        hint = f"such identities are issued by a CA with the word {said} in its subject"
        raise Unacceptable(Reason.SIMULATED if "simulated" in missing else Reason.NO_TEE, f"{said} identity", hint=hint)
    if authority.words and not words:
        raise Unacceptable(
            Reason.NOT_ALLOWED,
            f"{authority.certificate.name} issues no production identity",
            hint="one CA never holds both anchor sets",
        )


def validity(appraisal: Appraisal, authority: Authority, terms: Terms, *, when: datetime) -> tuple[datetime, datetime]:
    """From when until when: the policy's lifetime within what the endorsements and the CA allow."""
    windows = [member.claims.window for member in appraisal.members if member.claims.window is not None]
    not_before = max([when - BACKDATED, authority.certificate.not_before, *(w.not_before for w in windows)])
    not_after = min([when + terms.lifetime, authority.certificate.not_after, *(w.not_after for w in windows)])
    not_before, not_after = not_before.replace(microsecond=0), not_after.replace(microsecond=0)
    if not_before > when:
        raise Undetermined(Reason.CLOCK, "the CA's certificate or the endorsements are not valid yet")
    if not_after - when < SHORTEST:
        raise Unacceptable(Reason.EXPIRED, "endorsements or CA end now", hint="give endorsements that are valid longer")
    return not_before, not_after


def draft(
    accepted: Accepted,
    request: Request,
    launch: Launch,
    *,
    authority: Authority,
    terms: Terms,
    result: bytes,
    when: datetime,
    serial: int,
) -> Draft:
    """The certificate for `request`'s key, running what `launch` says, upon an accepted appraisal.

    result  the id-pe-cmw extension's value (DER): the EAR of this appraisal
    Raises `Unacceptable` when this CA may not issue it or it would end at once.
    """
    appraisal = accepted.appraisal
    require_words(authority, vouched.words_for(appraisal))
    not_before, not_after = validity(appraisal, authority, terms, when=when)
    identity = SpiffeId(authority.trust_domain, launch.package, launch.digest())
    return authority.draft(
        serial=serial,
        subject=subject(appraisal, launch),
        spki=request.spki,
        not_before=not_before,
        not_after=not_after,
        uri=str(identity),
        dns=terms.dns,
        extensions=(profile.extension(ID_PE_CMW, result),),
    )


ID_PE_CMW = "1.3.6.1.5.5.7.1.35"


def subject(appraisal: Appraisal, launch: Launch) -> bytes:
    """Ours alone: technology, measurement, and a name for people made of the digests."""
    said = vouched.technology(appraisal)
    marks = [*vouched.marks(appraisal), *(["input host"] if launch.stdio.get("stdin") == "host" else [])]
    parts = [
        (profile.ORGANIZATION, "Enarx"),
        (profile.UNIT, said[:64]),
        (profile.COMMON_NAME, f"keep {launch.package.hex()[:16]} {launch.digest().hex()[:16]}"),
    ]
    if marks:
        parts.append((profile.DESCRIPTION, ", ".join(marks)))
    return profile.name(*parts)


def _subject_key_of(certificate: Certificate) -> bytes:
    """The CA's subjectKeyIdentifier, which its certificates' authorityKeyIdentifier repeats."""
    found = certificate.extension(profile.SUBJECT_KEY_ID)
    if found is None:
        return profile.key_identifier(certificate.spki)
    if len(found.value) < 3 or found.value[0] != 0x04:
        raise Malformed(Reason.SYNTAX, f"subjectKeyIdentifier of {certificate.name}")
    return found.value[2:]
