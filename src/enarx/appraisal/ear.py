# SPDX-License-Identifier: Apache-2.0
"""An appraisal as an EAT Attestation Result (draft-ietf-rats-ear-04), for relying parties that trust this verifier.

Plain values; `enarx.appraisal.jws` signs them. Claims of ours begin with `enarx_`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.appraisal.ar4si import status, vector
from enarx.appraisal.jws import base64url
from enarx.appraisal.result import Appraisal, Member
from enarx.appraisal.tied import NOTHING, Expected
from enarx.errors import Malformed, Reason
from enarx.evidence.anchor import PRODUCTION
from enarx.evidence.check import Check, Verdict, shown
from enarx.evidence.kind import Kind, boot_of, without_tee

PROFILE = "tag:ietf.org,2026:rats/ear#04"
MEDIA_TYPE = f'application/eat+jwt; eat_profile="{PROFILE}"'

MEASUREMENTS = {
    Kind.SNP: "measurement",
    Kind.TDX: "mrtd",
    Kind.SGX: "mrenclave",
    Kind.CCA: "hash",
}
"""Which of a kind's facts is the digest of what was launched."""


class Verifier(msgspec.Struct, frozen=True):
    """Who judges, and by what clock.

    build, developer  as `ear_verifier_id` wants them (draft-ietf-rats-ar4si-10 section 2.2.1)
    time_source       where "now" came from: "host", "signed", a name that people know
    """

    build: str
    developer: str
    time_source: str


def claims(
    appraisal: Appraisal,
    expected: Expected = NOTHING,
    *,
    verifier: Verifier,
    issued: datetime,
    expires: datetime | None = None,
    input_host: bool = False,
) -> dict[str, Any]:
    """The claims set, as JSON values.

    expected    what the evidence was held against: nonce, launch and package digests are named
    issued      now; the time of judging is beside it when the verifier gave another
    input_host  standard input comes from the host, which is trusted for nothing
    """
    accepted = not appraisal.refusals()
    made: dict[str, Any] = {
        "eat_profile": PROFILE,
        "iat": int(issued.timestamp()),
        "ear_verifier_id": {"build": verifier.build, "developer": verifier.developer},
        "enarx_time_source": verifier.time_source,
        "submods": {
            name: _submodule(member, appraisal, accepted=accepted, input_host=input_host)
            for name, member in _named(appraisal.members)
        },
        "enarx_findings": [_finding(check) for check in appraisal.checks if _tells(check)],
    }
    if expires is not None:
        made["exp"] = int(expires.timestamp())
    if appraisal.past:
        made["enarx_as_of"] = appraisal.when.isoformat()
    if expected.binding is not None:
        made["eat_nonce"] = base64url(expected.binding.nonce)
    if expected.launch is not None:
        made["enarx_launch"] = expected.launch.hex()
    if expected.package is not None:
        made["enarx_package"] = expected.package.digest.hex()
    if input_host:
        made["enarx_input"] = "host"
    return made


def _named(members: tuple[Member, ...]) -> list[tuple[str, Member]]:
    """Members by their kind, and by number where there are several of one."""
    kinds = [str(member.claims.kind) for member in members]
    return [
        (kind if kinds.count(kind) == 1 else f"{kind}-{kinds[: at + 1].count(kind)}", member)
        for at, (kind, member) in enumerate(zip(kinds, members, strict=True))
    ]


def _submodule(member: Member, appraisal: Appraisal, *, accepted: bool, input_host: bool) -> dict[str, Any]:
    trust = vector(member, appraisal, input_host=input_host)
    facts = member.claims.facts()
    made: dict[str, Any] = {
        "ear_status": status(trust, accepted=accepted),
        "ear_trustworthiness_vector": trust,
        "ear_appraisal_policy_ids": [f"{appraisal.policy}#sha256:{appraisal.policy_digest.hex()}"],
        "ear_attester_claims": facts,
        "ear_verifier_claims": {
            "findings": [_finding(c) for c in (*member.claims.checks, *member.checks) if _tells(c)]
        },
        "enarx_technology": str(member.claims.kind),
        "enarx_anchors": member.claims.anchors,
    }
    measurement = facts.get(MEASUREMENTS.get(member.claims.kind, ""))
    if measurement is not None:
        made["enarx_measurement"] = measurement
    kinds = [one.claims.kind for one in appraisal.members]
    if boot := boot_of(kinds):
        made["enarx_boot"] = boot
    if member.claims.kind is Kind.NONE or without_tee(kinds):
        made["enarx_tee"] = "none"
    elif member.claims.anchors != PRODUCTION:
        made["enarx_tee"] = "simulated"
    return made


def _tells(check: Check) -> bool:
    return check.reason is not None or check.verdict is Verdict.UNCHECKED


def _finding(check: Check) -> dict[str, str]:
    found = {"name": check.name, "verdict": str(check.verdict), "fact": shown(check.fact), "source": check.source}
    if check.reason is not None:
        found["reason"] = str(check.reason)
    return found


def require_profile(found: Any) -> dict[str, Any]:
    """A claims set that someone else made: of this profile, with a status for each submodule."""
    if not isinstance(found, dict) or found.get("eat_profile") != PROFILE:
        raise Malformed(Reason.UNKNOWN_VERSION, "attestation result: eat_profile")
    submodules = found.get("submods")
    if not isinstance(submodules, dict) or not submodules or not isinstance(found.get("iat"), int):
        raise Malformed(Reason.MISSING, "attestation result: submods and iat")
    tiers = ("none", "affirming", "warning", "contraindicated")
    for name, submodule in submodules.items():
        if not isinstance(submodule, dict) or submodule.get("ear_status") not in tiers:
            raise Malformed(Reason.UNKNOWN_VALUE, f"attestation result: ear_status of {name!r}")
    return found
