# SPDX-License-Identifier: Apache-2.0
"""From what a Keep sent to an appraisal. Pure: the Steward's values and the time are arguments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from enarx.appraisal.appraise import appraise
from enarx.appraisal.composition import joined
from enarx.appraisal.policy import Loaded
from enarx.appraisal.result import Appraisal
from enarx.appraisal.tied import Expected
from enarx.appraisal.workload import package_of
from enarx.codec.digest import sha256
from enarx.errors import Reason, Unacceptable
from enarx.evidence import cmw, endorsement
from enarx.evidence.anchor import Anchors
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.evidence.composition import authenticate_members
from enarx.evidence.memory import Memory
from enarx.identity.message import AttestRequest
from enarx.identity.request import Request, parse
from enarx.workload import launch as launch_document
from enarx.workload.launch import Launch


class Case(msgspec.Struct, frozen=True):
    """What was asked for, read but not judged: the key's request, and what the Keep runs."""

    request: Request
    launch: Launch
    launch_digest: bytes


def read(asked: AttestRequest) -> Case:
    """The parts that need no endorsement: a request that proves its key, and the launch document."""
    request = parse(asked.request)
    return Case(request, launch_document.parse(asked.launch), sha256(asked.launch))


def judge(
    asked: AttestRequest,
    case: Case,
    policy: Loaded,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
    activated: bytes | None = None,
) -> tuple[Appraisal, Expected]:
    """Authenticate every member and hold all against the policy: the result, and what was expected.

    `activated` is the SubjectPublicKeyInfo of the attestation key for which the request shows an opened credential.

    The binding is built here, from the key of the request, the nonce that was spent and the
    digest of the launch document: nothing that the Keep says about it is used.
    """
    members = cmw.decode(asked.evidence)
    endorsements = endorsement.decode(asked.endorsements)
    binding = Binding(
        purpose=Purpose.ISSUE, spki=spki_digest(case.request.spki), nonce=asked.nonce, launch=case.launch_digest
    )
    expected = Expected(
        binding=binding,
        fresh=True,
        spki=case.request.spki,
        launch=case.launch_digest,
        package=package_of(case.launch),
    )
    given = (endorsements,) * len(members)
    claims = authenticate_members(members, given, anchors=anchors, when=when, memory=memory, activated=activated)
    expected = joined(members, claims, expected)
    return appraise(claims, policy, expected, when=when), expected


def require_launch(promised: bytes, case: Case) -> None:
    """The launch document is the one that the nonce was asked for."""
    if promised != case.launch_digest:
        raise Unacceptable(
            Reason.LAUNCH_MISMATCH,
            "launch document",
            hint="the nonce was given for another launch digest",
        )
