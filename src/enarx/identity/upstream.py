# SPDX-License-Identifier: Apache-2.0
"""Upstream's protocol (Enarx 0.7): `POST /` with a request that carries its evidence.

Its requests have no nonce, and its evidence names no workload: so neither do the certificates,
and they come from a CA of their own, with `legacy` in its subject. A request is judged by the
one policy that the operator wrote for it; without one, none is accepted.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import msgspec

from enarx.appraisal import ear
from enarx.appraisal.appraise import appraise
from enarx.appraisal.result import Accepted, Appraisal
from enarx.appraisal.tied import Expected
from enarx.codec.der import SEQUENCE, Der, write
from enarx.errors import EnarxError, Malformed, Misused, Reason, Unacceptable
from enarx.evidence import legacy
from enarx.evidence.authenticate import authenticate
from enarx.evidence.memory import Memory
from enarx.identity import authority as authority_
from enarx.identity import profile, result, vouched
from enarx.identity.audit import Audit, refusal
from enarx.identity.authority import Authority, Draft
from enarx.identity.ledger import Issuance
from enarx.identity.log import Promise
from enarx.identity.request import Request, parse
from enarx.identity.shared import Shared
from enarx.identity.tenant import Desk, Tenant

PKCS10 = "application/pkcs10"
BUNDLE = "application/vnd.steward.pkcs10-bundle.v1"
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
MAX_REQUESTS = 64


def legacy_tenant(tenant: str) -> str:
    """Under which name the certificates of a tenant's Keeps of Enarx 0.7 are kept: they are another CA's."""
    return f"{tenant} legacy"


class Upstream:
    """Answers upstream's requests; refuses all of them without a `Desk`."""

    def __init__(self, tenant: Tenant, audit: Audit, shared: Shared) -> None:
        desk = tenant.desk
        if desk is not None and "legacy" not in desk.authority.words:
            raise Misused(
                Reason.NOT_ALLOWED,
                f"upstream's keeps with the CA {desk.authority.certificate.name}",
                hint="a CA for them has the word legacy in its subject",
            )
        self.tenant = legacy_tenant(tenant.name)
        self._desk = desk
        self._anchors = tenant.anchors
        self._log_url = f"{tenant.address}/log"
        self._audit = audit
        self._ledger = shared.ledger
        self._log = shared.log
        self._clock = shared.clock
        self._outcomes = shared.outcomes
        self._memory: Memory[Any] = Memory()

    @property
    def authority(self) -> Authority | None:
        """The CA for upstream's Keeps."""
        return self._desk.authority if self._desk is not None else None

    async def answer(self, raw: bytes, media_type: str, said: dict[str, Any]) -> bytes:
        """PkiPath for one request; for a bundle its chain and what was issued. A batch fails as a whole."""
        if media_type == PKCS10:
            issuer, issued = await self._issue([raw], said)
            return write(SEQUENCE, issuer, *issued)
        issuer, issued = await self._issue(_unbundled(raw), said)
        return write(SEQUENCE, write(SEQUENCE, issuer), write(SEQUENCE, *issued))

    async def _issue(self, raws: list[bytes], said: dict[str, Any]) -> tuple[bytes, list[bytes]]:
        when = self._clock.now()
        read = [(parse(raw), raw) for raw in raws]
        try:
            judged = [(request, *self._judge(request, when)) for request, _ in read]
        except EnarxError as error:
            self._outcomes.add("legacy", error)
            self._audit.refused(refusal(error, {**said, "technology": "legacy"}, when=when))
            raise
        desk = self._require_desk()
        said["technology"] = f"{vouched.technology(judged[0][1].appraisal)} legacy"
        said["verdict"] = "accepted"
        issued = [await self._certificate(desk, *one, when) for one in judged]
        self._outcomes.add("legacy", None)
        return desk.authority.certificate.raw, issued

    def _require_desk(self) -> Desk:
        if self._desk is None:
            raise Unacceptable(
                Reason.NO_POLICY_FOR_KIND, "evidence of Enarx 0.7", hint="its operator serves it with --legacy-policy"
            )
        return self._desk

    def _judge(self, request: Request, when: datetime) -> tuple[Accepted, Expected]:
        if set(request.attributes) - {EXTENSION_REQUEST}:
            raise Malformed(Reason.UNKNOWN_KEY, "certification request: an attribute that is not extensionRequest")
        unknown = request.extensions.keys() - {legacy.KVM, legacy.SGX, legacy.SNP}
        if unknown:
            raise Malformed(Reason.UNKNOWN_KEY, f"certification request: extension {min(unknown)}")
        found = legacy.read(request.extensions)
        if found is None:
            raise Unacceptable(Reason.UNAUTHENTICATED, "certification request without evidence")
        desk = self._require_desk()
        expected = Expected(spki=request.spki)
        given = found.endorsements
        endorsements = msgspec.structs.replace(given, certificates=(*given.certificates, *desk.intermediates))
        claims = authenticate(found.evidence, endorsements, anchors=self._anchors, when=when, memory=self._memory)
        return appraise((claims,), desk.rule.policy, expected, when=when).accepted(), expected

    async def _certificate(
        self, desk: Desk, request: Request, accepted: Accepted, expected: Expected, when: datetime
    ) -> bytes:
        appraisal = accepted.appraisal
        made = _draft(desk, request, appraisal, expected, when)
        time = int(when.timestamp() * 1000)
        entry = made.entry(time)
        promise = Promise(self._log.public, time, self._log.promise(entry), self._log_url)
        facts = vouched.facts_of(appraisal)
        await self._ledger.record(
            Issuance(
                entry=entry,
                serial=made.serial.to_bytes(20, "big"),
                tenant=self.tenant,
                policy=appraisal.policy,
                time=when.timestamp(),
                until=made.not_after.timestamp(),
                technology=f"{facts['technology']} legacy",
                measurement=facts["measurement"],
                package=b"",
                launch=b"",
                platform=facts["platform"],
            )
        )
        return made.certificate(promise.extension())


def _draft(desk: Desk, request: Request, appraisal: Appraisal, expected: Expected, when: datetime) -> Draft:
    """A certificate that names a technology and no workload."""
    authority_.require_words(desk.authority, vouched.words_for(appraisal) | {"legacy"})
    not_before, not_after = authority_.validity(appraisal, desk.authority, desk.rule.terms, when=when)
    claims = ear.claims(appraisal, expected, verifier=result.VERIFIER, issued=when, expires=not_after)
    token = result.jwt(claims, desk.authority.signer)
    return desk.authority.draft(
        serial=secrets.randbits(126) | 1 << 126,
        subject=profile.name(
            (profile.ORGANIZATION, "Enarx"),
            (profile.UNIT, f"{vouched.technology(appraisal)} legacy"[:64]),
            (profile.COMMON_NAME, "keep"),
        ),
        spki=request.spki,
        not_before=not_before,
        not_after=not_after,
        uri="",
        dns=desk.rule.terms.dns,
        extensions=(profile.extension(authority_.ID_PE_CMW, result.certificate_value(token)),),
    )


def _unbundled(raw: bytes) -> list[bytes]:
    """SEQUENCE OF CertificationRequest."""
    whole = Der(raw, "bundle of requests")
    listed = whole.sequence("requests")
    whole.done()
    found: list[bytes] = []
    while listed.peek() is not None:
        if len(found) == MAX_REQUESTS:
            raise Malformed(Reason.TOO_LARGE, f"bundle of more than {MAX_REQUESTS} requests")
        found.append(listed.raw("request"))
    if not found:
        raise Malformed(Reason.MISSING, "bundle of no requests")
    return found
