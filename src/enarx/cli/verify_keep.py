# SPDX-License-Identifier: Apache-2.0
"""`enarx verify https://…`: ask a running Keep, with a nonce of ours, over this very connection."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.appraisal.appraise import appraise
from enarx.appraisal.composition import joined
from enarx.appraisal.expectation import open_
from enarx.appraisal.policy import Loaded
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import Expected
from enarx.appraisal.workload import Package
from enarx.cli.package_signature import Signatures
from enarx.codec.digest import same, sha256
from enarx.codec.x509 import Certificate
from enarx.delivery.client import Asked, ask
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence import cmw
from enarx.evidence.anchor import Anchors
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.evidence.chain import authenticate_chain
from enarx.evidence.check import Check, Trail, Verdict
from enarx.evidence.composition import authenticate_members
from enarx.identity.told import activated_key
from enarx.identity.transparency import inclusion_check
from enarx.workload import launch as launch_document
from enarx.workload import spiffe
from enarx.workload.launch import Launch


class Verified(msgspec.Struct, frozen=True):
    """What came of asking a Keep: the appraisal, the certificate's own checks, the launch."""

    appraisal: Appraisal
    expected: Expected
    certificate: tuple[Check, ...]
    launch: Launch
    leaf: Certificate


def verify_keep(
    url: str,
    loaded: Loaded,
    anchors: Anchors,
    *,
    issuers: tuple[Certificate, ...],
    signatures: Signatures,
    when: datetime,
) -> Verified:
    """Ask the Keep at `url` and hold its answer against the policy."""
    asked = ask(url)
    if not asked.chain:
        raise Malformed(Reason.MISSING, f"{url}: certificate of the Keep")
    document = asked.answer.launch
    launch = launch_document.parse(document)
    members = cmw.decode(asked.answer.evidence)
    endorsements = (asked.answer.endorsements,) * len(members)
    activated = activated_key(asked.chain[0], members) if _issued_by(asked.chain, issuers, when) else None
    claims = authenticate_members(members, endorsements, anchors=anchors, when=when, activated=activated)
    expected = joined(members, claims, _expected(asked, signatures.package(launch)))
    appraisal = appraise(claims, loaded, expected, when=when)
    checks = (*certificate_checks(asked.chain, launch, issuers, when=when), log_check(asked.chain, loaded, issuers))
    return Verified(appraisal, expected, checks, launch, asked.chain[0])


def log_check(chain: tuple[Certificate, ...], loaded: Loaded, issuers: tuple[Certificate, ...]) -> Check:
    """Whether the certificate is in the log that it names, unless the policy says `unchecked`."""
    if loaded.policy.log == "unchecked":
        return open_("identity: in the Steward's log", "", "policy: log")
    path = _path(chain, issuers)
    if len(path) < 2:
        return Check("issuance log", Verdict.UNDETERMINED, Reason.NOT_LOGGED, "the issuer's certificate is not at hand")
    try:
        return inclusion_check(path, ca_pem="".join(one.pem() for one in issuers or path[-1:]))
    except EnarxError as error:
        verdict = Verdict.UNDETERMINED if error.family == "undetermined" else Verdict.FAILED
        return Check(
            "issuance log", verdict, error.reason, error.subject, "an inclusion proof", "policy: log", error.hint
        )


def _expected(asked: Asked, package: Package) -> Expected:
    """The binding that this connection, this nonce and this key ask for."""
    digest = sha256(asked.answer.launch)
    binding = Binding(
        purpose=Purpose.CHANNEL,
        spki=spki_digest(asked.chain[0].spki),
        nonce=asked.nonce,
        launch=digest,
        exporter=asked.exporter,
    )
    return Expected(binding=binding, fresh=True, launch=digest, package=package)


def certificate_checks(
    chain: tuple[Certificate, ...], launch: Launch, issuers: tuple[Certificate, ...], *, when: datetime
) -> tuple[Check, ...]:
    """What the Keep's certificate says, held against what its evidence says.

    Without `issuers` nobody is trusted to issue: the certificate is only compared.
    """
    trail = Trail()
    try:
        _require_name(chain[0], launch, trail)
        if issuers:
            authenticate_chain(_path(chain, issuers), issuers, when=when, trail=trail, name="identity")
        else:
            trail.note("identity: issuer", chain[-1].name, mend="name the Steward's CA with --issuer")
    except EnarxError as error:
        return tuple(check for check in error.checks if isinstance(check, Check))
    return trail.checks()


def _issued_by(chain: tuple[Certificate, ...], issuers: tuple[Certificate, ...], when: datetime) -> bool:
    """Whether the caller's own Steward issued the certificate, so that what it says may be believed."""
    try:
        authenticate_chain(_path(chain, issuers), issuers, when=when, trail=Trail(), name="identity")
    except EnarxError:
        return False
    return bool(issuers)


def _path(chain: tuple[Certificate, ...], issuers: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    if chain[-1] in issuers:
        return chain
    above = [one for one in issuers if one.subject == chain[-1].issuer]
    return (*chain, *above[:1])


def _require_name(leaf: Certificate, launch: Launch, trail: Trail) -> None:
    """The certificate names this package and this launch, or names no workload at all."""
    uris = leaf.uris()
    if not uris:
        trail.note("identity: workload", "the certificate names none")
        return
    named = spiffe.parse(uris[0])
    trail.require(
        same(named.package, launch.package),
        Reason.WORKLOAD_MISMATCH,
        "identity: package named by the certificate",
        fact=named.package,
        expectation=launch.package,
        source="launch document",
    )
    trail.require(
        same(named.launch, launch.digest()),
        Reason.LAUNCH_MISMATCH,
        "identity: launch named by the certificate",
        fact=named.launch,
        expectation=launch.digest(),
        source="launch document",
    )


def described(verified: Verified) -> dict[str, Any]:
    """The launch and the identity as plain values."""
    launch = verified.launch
    return {
        "identity": {
            "subject": verified.leaf.name,
            "uris": list(verified.leaf.uris()),
            "not_after": verified.leaf.not_after.isoformat(),
        },
        "launch": {
            "digest": launch.digest().hex(),
            "package": launch.package.hex(),
            "deployment": launch.deployment.hex(),
            "args": list(launch.args),
            "stdio": launch.stdio,
            "steward": launch.steward,
        },
    }
