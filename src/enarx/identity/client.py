# SPDX-License-Identifier: Apache-2.0
"""A Keep's door to its Steward: ask for a nonce, then for an identity.

The Steward is known by the SHA-256 of the SubjectPublicKeyInfo of its CA, which the launch
document pins. Everything it answers is checked before it is used.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NoReturn, Self, TypeVar

import httpx
import msgspec

from enarx.codec.x509 import PublicKey
from enarx.errors import FAMILIES, EnarxError, Faulty, Misused, Reason, Undetermined
from enarx.evidence import cmw, endorsement
from enarx.evidence.check import Check, Verdict
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.identity import issued, moment
from enarx.identity.issued import Identity
from enarx.identity.message import (
    Activation,
    AttestAnswer,
    AttestRequest,
    CredentialAnswer,
    CredentialRequest,
    NonceAnswer,
    NonceRequest,
    TimeAnswer,
    TimeRequest,
)
from enarx.identity.pin import pinned_context, require_service
from enarx.workload.launch import Launch

PATIENCE = 15.0
"""Seconds that a Steward has for one answer, connecting included."""
MAX_ANSWER = 1 << 20

T = TypeVar("T")


class StewardClient:
    """One Steward, over one connection that is kept. Use it in a `with` statement."""

    def __init__(self, url: str, *, ca_pins: Iterable[bytes], patience: float = PATIENCE) -> None:
        """`ca_pins`: SHA-256 (32 bytes) of the SubjectPublicKeyInfos of CAs of which one vouches for its TLS.

        `Misused` for anything but an https URL.
        """
        parsed = _parsed(url)
        self._who = f"the steward at {parsed.host}:{parsed.port or 443}"
        context = pinned_context(parsed.host, parsed.port or 443, frozenset(ca_pins), self._who, patience)
        self._http = httpx.Client(
            base_url=url, verify=context, timeout=patience, trust_env=False, follow_redirects=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def nonce(self, launch: bytes, *, policy: str | None = None) -> bytes:
        """A nonce for evidence about the launch document with this digest (32 bytes)."""
        answer = self._post("/v1/nonce", NonceRequest(launch=launch, policy=policy), NonceAnswer)
        if len(answer.nonce) != 32:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._who}: nonce of {len(answer.nonce)} bytes")
        return answer.nonce

    def attest(
        self,
        *,
        request: bytes,
        evidence: tuple[Evidence, ...],
        endorsements: Endorsements,
        nonce: bytes,
        launch: Launch,
        policy: str | None = None,
        activation: Activation | None = None,
    ) -> Identity:
        """An identity for the key of `request` (PKCS#10, DER).

        Raises what the Steward refused with, as our own error with its reason and findings;
        `Unauthentic` (KEY_NOT_BOUND) for a certificate that is not for this key and launch.
        """
        asked = AttestRequest(
            request=request,
            evidence=cmw.encode(evidence),
            endorsements=endorsement.encode(endorsements),
            nonce=nonce,
            launch=launch.encoded(),
            policy=policy,
            activation=activation,
        )
        answer = self._post("/v1/attest", asked, AttestAnswer)
        return issued.accept(answer.certificates, answer.ear, request=request, launch=launch)

    def credential(
        self,
        nonce: bytes,
        *,
        ek_certificates: tuple[bytes, ...],
        ek_public: bytes,
        ak_public: bytes,
        policy: str | None = None,
    ) -> CredentialAnswer:
        """A credential for a TPM's two keys (see `CredentialRequest`), to be sent back opened with `attest`."""
        asked = CredentialRequest(
            nonce=nonce, policy=policy, ek_certificates=ek_certificates, ek_public=ek_public, ak_public=ak_public
        )
        return self._post("/v1/credential", asked, CredentialAnswer)

    def time(self, nonce: bytes, key: PublicKey) -> datetime:
        """The Steward's time, signed by `key` (its CA's) over `nonce` (32 bytes)."""
        return moment.read(self._post("/v1/time", TimeRequest(nonce), TimeAnswer).token, key, nonce)

    def _post(self, path: str, asked: msgspec.Struct, kind: type[T]) -> T:
        body = msgspec.json.encode(asked)
        try:
            with self._http.stream(
                "POST", path, content=body, headers={"content-type": "application/json"}
            ) as response:
                require_service(response, self._who)
                raw = _bounded(response, self._who)
                status = response.status_code
        except httpx.TimeoutException:
            raise Undetermined(Reason.TIMED_OUT, f"{self._who} does not answer") from None
        except httpx.HTTPError as error:
            raise Undetermined(Reason.UNREACHABLE, f"{self._who}: {why(error)}") from None
        if status != 200:
            refuse(raw, status, self._who)
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{self._who} answers nonsense") from None


def request_nonce(url: str, launch: bytes, *, ca_pins: Iterable[bytes], policy: str | None = None) -> bytes:
    """A nonce over a connection of its own; see `StewardClient.nonce`."""
    with StewardClient(url, ca_pins=ca_pins) as steward:
        return steward.nonce(launch, policy=policy)


def attest(
    url: str,
    *,
    ca_pins: Iterable[bytes],
    request: bytes,
    evidence: tuple[Evidence, ...],
    endorsements: Endorsements,
    nonce: bytes,
    launch: Launch,
    policy: str | None = None,
) -> Identity:
    """An identity over a connection of its own; see `StewardClient.attest`."""
    with StewardClient(url, ca_pins=ca_pins) as steward:
        return steward.attest(
            request=request, evidence=evidence, endorsements=endorsements, nonce=nonce, launch=launch, policy=policy
        )


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise Misused(Reason.SYNTAX, f"steward URL {url!r}") from None
    if parsed.scheme != "https" or not parsed.host:
        raise Misused(Reason.SYNTAX, f"steward URL {url!r}", hint="a steward is reached over https")
    return parsed


def _bounded(response: httpx.Response, who: str) -> bytes:
    received = bytearray()
    for chunk in response.iter_bytes():
        received += chunk
        if len(received) > MAX_ANSWER:
            raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{who} answers without end")
    return bytes(received)


def why(error: BaseException) -> str:
    """Why a connection failed, in a word or two."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return found.verify_message
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = found.__cause__ or found.__context__
    return type(error).__name__


class _Finding(msgspec.Struct):
    name: str = ""
    verdict: Verdict = Verdict.NOTED
    reason: Reason | None = None
    fact: str = ""
    expectation: str = ""
    source: str = ""
    mend: str = ""


class _Problem(msgspec.Struct):
    reason: Reason
    family: str
    detail: str = ""
    hint: str = ""
    findings: tuple[_Finding, ...] = ()


def refuse(raw: bytes, status: int, who: str) -> NoReturn:
    """Raise what a problem document says, as our own error; nonsense is `Undetermined`."""
    try:
        problem = msgspec.json.decode(raw, type=_Problem)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{who} answers {status} and nonsense") from None
    families: dict[str, type[EnarxError]] = {family.family: family for family in FAMILIES}
    family = families.get(problem.family, Undetermined)
    if family is Faulty:  # its fault, not ours
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"{who} has a fault of its own")
    checks: tuple[Any, ...] = tuple(
        Check(one.name, one.verdict, one.reason, one.fact, one.expectation, one.source, one.mend)
        for one in problem.findings
    )
    raise family(problem.reason, problem.detail or who, hint=problem.hint, checks=checks)
