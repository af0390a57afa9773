# SPDX-License-Identifier: Apache-2.0
"""The Steward: a nonce, then an identity for evidence over it. HTTP is `service.py`'s affair."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Counter

from enarx.appraisal import ear
from enarx.appraisal.policy import Loaded
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import Expected
from enarx.errors import EnarxError, Misused, Reason
from enarx.evidence.anchor import PRODUCTION, Anchors
from enarx.evidence.memory import Memory
from enarx.identity import judgement, result
from enarx.identity.authority import Authority, Terms, draft, facts_of, technology, validity
from enarx.identity.clock import Clock
from enarx.identity.ledger import Issuance, Ledger, Nonce
from enarx.identity.log import LogKey, Promise
from enarx.identity.message import AttestAnswer, AttestRequest, NonceAnswer, NonceRequest

NONCE_SIZE = 32
NONCE_LIFE = timedelta(minutes=5)
REMEMBERED = 4096
"""Chains whose signatures were seen to hold (a VCEK is one)."""


class Rule(msgspec.Struct, frozen=True):
    """A policy and what it grants."""

    policy: Loaded
    terms: Terms


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
        rules: Mapping[str, Rule],
        anchors: Anchors,
        ledger: Ledger,
        log: LogKey,
        *,
        log_url: str,
        clock: Clock,
        outcomes: Outcomes,
        tenant: str = "default",
    ) -> None:
        require_one_anchor_set(authority, rules, anchors)
        self.authority = authority
        self._rules = rules
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
        policy, _ = self._rule(asked.policy)
        expires = self._clock.now() + NONCE_LIFE
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

    async def attest(self, asked: AttestRequest, said: dict[str, Any]) -> AttestAnswer:
        """An identity, when everything holds. `said` receives what the log line says of it.

        The nonce is spent first: whatever else is wrong, it is good no more.
        """
        try:
            return await self._attest(asked, said)
        except EnarxError as error:
            self._outcomes.add(said.get("technology", "unknown"), error)
            raise

    async def _attest(self, asked: AttestRequest, said: dict[str, Any]) -> AttestAnswer:
        name, rule = self._rule(asked.policy)
        when = self._clock.now()
        spent = await self._ledger.spend(asked.nonce, now=when.timestamp())
        if spent is None or (spent.tenant, spent.policy, spent.purpose) != (self.tenant, name, "issue"):
            raise Misused(Reason.NONCE_UNKNOWN, "nonce: spent, expired, or never given", hint="ask for another one")
        case = judgement.read(asked)
        judgement.require_launch(spent.launch, case)
        said["policy"] = name
        appraisal, expected = judgement.judge(
            asked, case, rule.policy, anchors=self._anchors, when=when, memory=self._memory
        )
        said["technology"] = technology(appraisal)
        answer = await self._issue(appraisal, expected, case, name, rule, when)
        self._outcomes.add(said["technology"], None)
        said["verdict"] = "accepted"
        return answer

    async def _issue(
        self, appraisal: Appraisal, expected: Expected, case: judgement.Case, name: str, rule: Rule, when: datetime
    ) -> AttestAnswer:
        """The certificate is signed after its entry is in the log for good, and not before."""
        accepted = appraisal.accepted()
        _, not_after = validity(appraisal, self.authority, rule.terms, when=when)
        host = case.launch.stdio.get("stdin") == "host"
        claims = ear.claims(
            appraisal, expected, verifier=result.VERIFIER, issued=when, expires=not_after, input_host=host
        )
        token = result.jwt(claims, self.authority.signer)
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

    def _rule(self, name: str | None) -> tuple[str, Rule]:
        if name is None and len(self._rules) == 1:
            name = next(iter(self._rules))
        if name is None:
            raise Misused(Reason.MISSING, "policy", hint=f"name one of: {', '.join(sorted(self._rules))}")
        if name not in self._rules:
            raise Misused(Reason.NOT_FOUND, f"policy {name!r}")
        return name, self._rules[name]


def require_one_anchor_set(authority: Authority, rules: Mapping[str, Rule], anchors: Anchors) -> None:
    """The CA's subject says what it may issue upon; `Misused` when anchors or policies say otherwise."""
    own = authority.certificate.name
    if anchors.name != PRODUCTION and "simulated" not in authority.words:
        raise Misused(
            Reason.SIMULATED,
            f"anchors {anchors.name!r} with the CA {own}",
            hint="a CA for anchors that are not the vendors' own has the word simulated in its subject",
        )
    if anchors.name == PRODUCTION and "simulated" in authority.words:
        raise Misused(
            Reason.SIMULATED, f"the vendors' anchors with the CA {own}", hint="give --anchors and --unsafe-anchors"
        )
    if anchors.name == PRODUCTION and "none" in authority.words and any(map(_asks_for_tee, rules.values())):
        raise Misused(
            Reason.NO_TEE,
            f"policies for tees with the CA {own}",
            hint="one CA never holds both anchor sets: give keeps without a tee a CA of their own",
        )
    for name, rule in rules.items():
        if rule.policy.policy.none is not None and "none" not in authority.words:
            raise Misused(
                Reason.NO_TEE,
                f"policy {name!r} has a section for keeps without a tee, and the CA is {own}",
                hint="a CA that issues to them has the word none in its subject",
            )


def _asks_for_tee(rule: Rule) -> bool:
    sections = (getattr(rule.policy.policy, kind.replace("-", "_"), None) for kind in _SECTIONS)
    return any(section is not None for section in sections)


_SECTIONS = ("snp", "sgx", "tdx", "nitro", "nitrotpm", "tpm", "azure", "nvidia-gpu", "nvidia-switch", "cca", "psa")
