# SPDX-License-Identifier: Apache-2.0
"""The Steward: a nonce, then an identity for evidence over it. HTTP is `service.py`'s affair."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec

from enarx.appraisal import ear
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import Expected
from enarx.errors import EnarxError, Misused, Reason
from enarx.evidence.memory import Memory
from enarx.identity import activation, judgement, result
from enarx.identity.audit import Audit, Sample, refusal
from enarx.identity.authority import draft, validity
from enarx.identity.ledger import Issuance, Nonce
from enarx.identity.log import Promise
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
from enarx.identity.shared import Shared
from enarx.identity.tenant import Tenant
from enarx.identity.vouched import facts_of, technology

NONCE_SIZE = 32
NONCE_LIFE = timedelta(minutes=5)
REMEMBERED = 4096
"""Chains whose signatures were seen to hold (a VCEK is one)."""
BY_WORKLOAD = ""
"""What a nonce says of the policy when the launch document's package is to choose it."""


class Steward:
    """One tenant's CA with its policies, anchors and ledger."""

    def __init__(self, tenant: Tenant, rulebook: Rulebook, audit: Audit, shared: Shared) -> None:
        self.authority = tenant.authority
        self.tenant = tenant.name
        self._anchors = tenant.anchors
        self._log_url = f"{tenant.address}/log"
        self._rulebook = rulebook
        self._audit = audit
        self._ledger = shared.ledger
        self._log = shared.log
        self._clock = shared.clock
        self._outcomes = shared.outcomes
        self._memory: Memory[Any] = Memory(REMEMBERED)

    async def nonce(self, asked: NonceRequest) -> NonceAnswer:
        """A nonce for one policy, purpose and launch, good once."""
        now = self._clock.now()
        policy = self._named(asked.policy, now)
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

    async def credential(self, asked: CredentialRequest, said: dict[str, Any]) -> CredentialAnswer:
        """A secret that only the TPM with both keys can open, good once and with this nonce."""
        now = self._clock.now()
        try:
            policy = said["policy"] = self._named(asked.policy, now)
            answer, kept = activation.credential(
                asked, tenant=self.tenant, policy=policy, anchors=self._anchors, when=now, expires=now + NONCE_LIFE
            )
        except EnarxError as error:
            self._refused(said, now, error)
            raise
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
        spent = await self._ledger.spend(asked.nonce, now=when.timestamp())
        if (
            spent is None
            or (spent.tenant, spent.purpose) != (self.tenant, "issue")
            or asked.policy not in {None, spent.policy}
        ):
            raise Misused(Reason.NONCE_UNKNOWN, "nonce: spent, expired, or never given", hint="ask for another one")
        said["verdict"] = "judged"
        case = judgement.read(asked)
        judgement.require_launch(spent.launch, case)
        name = said["policy"] = spent.policy or self._rulebook.for_workload(case.launch.package, when)
        rules = self._rulebook.in_force(name, when)
        if not rules:
            raise Misused(Reason.NOT_FOUND, f"policy {name!r}")
        activated = None
        if asked.activation is not None:
            kept = await self._ledger.spend(asked.activation.secret, now=when.timestamp())
            activated = activation.activated(asked, kept, tenant=self.tenant, policy=spent.policy)
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
        if "verdict" in said:
            body, accepted = msgspec.json.encode(asked), int(error is None)
            policy = said.get("policy", "")
            self._audit.sampled(Sample(time=when.timestamp(), policy=policy, accepted=accepted, body=body))
        if error is not None:
            self._refused(said, when, error)

    def _refused(self, said: dict[str, Any], when: datetime, error: EnarxError) -> None:
        said["verdict"] = error.family
        self._audit.refused(refusal(error, said, when=when))

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

    def _named(self, name: str | None, when: datetime) -> str:
        """A policy's name; "" where there are several and none was named: the workload will choose."""
        names = self._rulebook.names()
        if name is None:
            return names[0] if len(names) == 1 else BY_WORKLOAD
        if not self._rulebook.in_force(name, when):
            raise Misused(Reason.NOT_FOUND, f"policy {name!r}")
        return name
