# SPDX-License-Identifier: Apache-2.0
"""The Steward: a nonce, then an identity for evidence over it. HTTP is `service.py`'s affair."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Counter

from enarx.appraisal import ear
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import Expected
from enarx.errors import EnarxError, Misused, Reason
from enarx.evidence.anchor import Anchors
from enarx.evidence.memory import Memory
from enarx.identity import activation, judgement, result
from enarx.identity.audit import Audit, Refusal, Sample
from enarx.identity.authority import Authority, draft, validity
from enarx.identity.clock import Clock
from enarx.identity.ledger import Issuance, Ledger, Nonce
from enarx.identity.log import LogKey, Promise
from enarx.identity.message import (
    AttestAnswer,
    AttestRequest,
    CredentialAnswer,
    CredentialRequest,
    NonceAnswer,
    NonceRequest,
)
from enarx.identity.rule import Rule
from enarx.identity.rulebook import Rulebook
from enarx.identity.vouched import facts_of, technology

NONCE_SIZE = 32
NONCE_LIFE = timedelta(minutes=5)
REMEMBERED = 4096
"""Chains whose signatures were seen to hold (a VCEK is one)."""


class Outcomes:
    """Judgements, counted by technology, verdict and reason."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "enarx_appraisals", "Evidence judged", ("technology", "verdict", "reason"), registry=registry
        )

    def add(self, kinds: str, error: EnarxError | None) -> None:
        """One judgement ended."""
        reason = "" if error is None else str(error.reason)
        self._count.labels(kinds, judgement.verdict(error), reason).inc()


class Steward:
    """One tenant's CA with its policies, anchors and ledger."""

    def __init__(
        self,
        authority: Authority,
        rulebook: Rulebook,
        anchors: Anchors,
        ledger: Ledger,
        audit: Audit,
        log: LogKey,
        *,
        log_url: str,
        clock: Clock,
        outcomes: Outcomes,
        tenant: str = "default",
    ) -> None:
        self.authority = authority
        self._rulebook = rulebook
        self._audit = audit
        self._anchors = anchors
        self._ledger = ledger
        self._log = log
        self._log_url = log_url
        self._clock = clock
        self._outcomes = outcomes
        self.tenant = tenant
        self._memory: Memory[Any] = Memory(REMEMBERED)

    async def nonce(self, asked: NonceRequest) -> NonceAnswer:
        """A nonce for one policy, purpose and launch, good once."""
        now = self._clock.now()
        policy, _ = self._named(asked.policy, now)
        expires = now + NONCE_LIFE
        nonce = secrets.token_bytes(NONCE_SIZE)
        await self._ledger.put(
            Nonce(
                nonce=nonce,
                tenant=self.tenant,
                policy=policy,
                purpose=asked.purpose,
                launch=asked.launch,
                expires=expires.timestamp(),
            )
        )
        return NonceAnswer(nonce=nonce, expires=expires)

    async def credential(self, asked: CredentialRequest) -> CredentialAnswer:
        """A secret that only the TPM with both keys can open, good once and with this nonce."""
        now = self._clock.now()
        policy, _ = self._named(asked.policy, now)
        answer, kept = activation.credential(
            asked, tenant=self.tenant, policy=policy, anchors=self._anchors, when=now, expires=now + NONCE_LIFE
        )
        await self._ledger.put(kept)
        return answer

    async def attest(self, asked: AttestRequest, said: dict[str, Any]) -> AttestAnswer:
        """An identity, when everything holds. `said` receives what the log line says of it.

        The nonce is spent first: whatever else is wrong, it is good no more.
        """
        when = self._clock.now()
        try:
            answer = await self._attest(asked, said, when)
        except EnarxError as error:
            self._ended(asked, said, when, error)
            raise
        self._ended(asked, said, when, None)
        return answer

    async def _attest(self, asked: AttestRequest, said: dict[str, Any], when: datetime) -> AttestAnswer:
        name, rules = self._named(asked.policy, when)
        said["policy"] = name
        spent = await self._ledger.spend(asked.nonce, now=when.timestamp())
        if spent is None or (spent.tenant, spent.policy, spent.purpose) != (self.tenant, name, "issue"):
            raise Misused(Reason.NONCE_UNKNOWN, "nonce: spent, expired, or never given", hint="ask for another one")
        said["verdict"] = "judged"
        case = judgement.read(asked)
        judgement.require_launch(spent.launch, case)
        activated = None
        if asked.activation is not None:
            kept = await self._ledger.spend(asked.activation.secret, now=when.timestamp())
            activated = activation.activated(asked, kept, tenant=self.tenant, policy=name)
        rule, appraisal, expected = self._judged(asked, case, rules, when, activated)
        said["technology"] = technology(appraisal)
        answer = await self._issue(appraisal, expected, case, name, rule, when)
        said["verdict"] = "accepted"
        return answer

    def _judged(
        self,
        asked: AttestRequest,
        case: judgement.Case,
        rules: tuple[Rule, ...],
        when: datetime,
        activated: bytes | None,
    ) -> tuple[Rule, Appraisal, Expected]:
        """By the first version in force that accepts, or else by the newest."""
        found: list[tuple[Rule, Appraisal, Expected]] = []
        for rule in rules:
            judged = judgement.judge(
                asked, case, rule.policy, anchors=self._anchors, when=when, memory=self._memory, activated=activated
            )
            found.append((rule, *judged))
            if not judged[0].refusals():
                return found[-1]
        return found[0]

    def _ended(self, asked: AttestRequest, said: dict[str, Any], when: datetime, error: EnarxError | None) -> None:
        """Count it; keep a refusal, and keep the request itself when it had a nonce of ours."""
        self._outcomes.add(said.get("technology", "unknown"), error)
        policy = said.get("policy", "")
        if "verdict" in said:
            body = msgspec.json.encode(asked)
            accepted = int(error is None)
            self._audit.sampled(
                Sample(time=when.timestamp(), tenant=self.tenant, policy=policy, accepted=accepted, body=body)
            )
        if error is not None:
            said["verdict"] = error.family
            self._audit.refused(
                Refusal(
                    time=when.timestamp(),
                    tenant=self.tenant,
                    policy=policy,
                    technology=said.get("technology", ""),
                    family=error.family,
                    reason=error.reason,
                    subject=error.subject,
                    request=said.get("request", ""),
                )
            )

    async def _issue(
        self, appraisal: Appraisal, expected: Expected, case: judgement.Case, name: str, rule: Rule, when: datetime
    ) -> AttestAnswer:
        """The certificate is signed after its entry is in the log for good, and not before."""
        accepted = appraisal.accepted()
        _, not_after = validity(appraisal, self.authority, rule.terms, when=when)
        token = self._result(appraisal, expected, case, issued=when, expires=not_after)
        made = draft(
            accepted,
            case.request,
            case.launch,
            authority=self.authority,
            terms=rule.terms,
            result=result.certificate_value(token),
            when=when,
            serial=secrets.randbits(126) | 1 << 126,
        )
        time = int(when.timestamp() * 1000)
        entry = made.entry(time)
        promise = Promise(self._log.public, time, self._log.promise(entry), self._log_url)
        facts = facts_of(appraisal)
        await self._ledger.record(
            Issuance(
                entry=entry,
                serial=made.serial.to_bytes(20, "big"),
                tenant=self.tenant,
                policy=name,
                time=when.timestamp(),
                until=made.not_after.timestamp(),
                technology=facts["technology"],
                measurement=facts["measurement"],
                package=case.launch.package,
                launch=case.launch_digest,
                platform=facts["platform"],
            )
        )
        return AttestAnswer(
            certificates=(made.certificate(promise.extension()), *(one.raw for one in self.authority.path)),
            ear=token,
            expires=made.not_after,
        )

    def _result(
        self, appraisal: Appraisal, expected: Expected, case: judgement.Case, *, issued: datetime, expires: datetime
    ) -> str:
        """The EAR of an accepted appraisal, signed by the CA's key."""
        host = case.launch.stdio.get("stdin") == "host"
        claims = ear.claims(
            appraisal, expected, verifier=result.VERIFIER, issued=issued, expires=expires, input_host=host
        )
        return result.jwt(claims, self.authority.signer)

    def _named(self, name: str | None, when: datetime) -> tuple[str, tuple[Rule, ...]]:
        """A policy's name, and its versions in force: newest first, at least one."""
        names = self._rulebook.names()
        if name is None and len(names) == 1:
            name = names[0]
        if name is None:
            raise Misused(Reason.MISSING, "policy", hint=f"name one of: {', '.join(names)}")
        rules = self._rulebook.in_force(name, when)
        if not rules:
            raise Misused(Reason.NOT_FOUND, f"policy {name!r}")
        return name, rules
