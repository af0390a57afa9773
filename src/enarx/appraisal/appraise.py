# SPDX-License-Identifier: Apache-2.0
"""Claims held against a policy: every check of every member, then those of the whole.

Nothing stops at the first refusal: whoever reads the result wants to see all of them.
"""

from __future__ import annotations

from datetime import datetime

from enarx.appraisal import azure, cca, nitro, none, nvidia, sgx, snp, tdx, tpm
from enarx.appraisal.boot_events import named
from enarx.appraisal.expectation import failed
from enarx.appraisal.policy import Loaded, Policy
from enarx.appraisal.result import Appraisal, Member
from enarx.appraisal.tied import Expected
from enarx.appraisal.whole import whole_checks
from enarx.errors import Reason
from enarx.evidence.azure import AzureClaims
from enarx.evidence.cca import CcaClaims
from enarx.evidence.check import Check, Verdict
from enarx.evidence.claims import Claims
from enarx.evidence.kind import Kind
from enarx.evidence.nitro import NitroClaims, NitroTpmClaims
from enarx.evidence.none import NoneClaims
from enarx.evidence.nvidia import NvidiaClaims
from enarx.evidence.psa import PsaClaims
from enarx.evidence.sgx import SgxClaims
from enarx.evidence.snp import SnpClaims
from enarx.evidence.tdx import TdxClaims
from enarx.evidence.tpm import TpmClaims


def appraise(
    members: tuple[Claims, ...],
    loaded: Loaded,
    expected: Expected,
    *,
    when: datetime,
    past: bool = False,
) -> Appraisal:
    """What the policy says of authenticated claims, all members together.

    expected  what this verifier expects the evidence to be tied to (`enarx.appraisal.whole`)
    when      the time of judging; `past` if the verifier gave it instead of now
    """
    policy = loaded.policy
    judged = tuple(Member(claims, _explained(claims, loaded, when=when)) for claims in members)
    return Appraisal(
        members=judged,
        checks=(*whole_checks(members, policy, expected, when=when), *map(_reference, loaded.references)),
        policy=policy.name,
        policy_digest=loaded.digest,
        when=when,
        past=past,
    )


def _explained(claims: Claims, loaded: Loaded, *, when: datetime) -> tuple[Check, ...]:
    """The section's checks; of a boot, with the event named that led to another register."""
    checks = section_checks(claims, loaded.policy, when=when)
    match claims:
        case TpmClaims():
            return named(checks, claims.boot, "tpm", loaded.events)
        case AzureClaims() if claims.boot is not None:
            return named(checks, claims.boot, "azure", loaded.events)
        case _:
            return checks


def section_checks(claims: Claims, policy: Policy, *, when: datetime) -> tuple[Check, ...]:  # noqa: C901, PLR0911, PLR0912 - one arm a section
    """The checks of the section for this technology; a missing section accepts nothing."""
    match claims:
        case SnpClaims() if policy.snp is not None:
            return snp.appraise(claims, policy.snp, when=when)
        case SgxClaims() if policy.sgx is not None:
            return sgx.appraise(claims, policy.sgx, when=when)
        case TdxClaims() if policy.tdx is not None:
            return tdx.appraise(claims, policy.tdx, when=when)
        case NitroTpmClaims() if policy.nitrotpm is not None:
            return nitro.appraise(claims, policy.nitrotpm, when=when)
        case NitroClaims() if not isinstance(claims, NitroTpmClaims) and policy.nitro is not None:
            return nitro.appraise(claims, policy.nitro, when=when)
        case NvidiaClaims(kind=Kind.NVIDIA_GPU) if policy.nvidia_gpu is not None:
            return nvidia.appraise(claims, policy.nvidia_gpu, when=when)
        case NvidiaClaims(kind=Kind.NVIDIA_SWITCH) if policy.nvidia_switch is not None:
            return nvidia.appraise(claims, policy.nvidia_switch, when=when)
        case CcaClaims() if policy.cca is not None:
            return cca.appraise(claims, policy.cca, when=when)
        case PsaClaims() if policy.psa is not None:
            return cca.appraise_psa(claims, policy.psa, when=when)
        case TpmClaims() if policy.tpm is not None:
            return tpm.appraise(claims, policy.tpm, when=when)
        case AzureClaims() if policy.azure is not None:
            hardware = section_checks(claims.tee, policy, when=when)
            return (*hardware, *azure.appraise(claims, policy.azure, when=when))
        case NoneClaims() if policy.none is not None:
            return none.appraise(claims, policy.none, when=when)
        case _:
            return (_no_section(claims),)


def _reference(said: str) -> Check:
    return Check("reference values", Verdict.NOTED, None, said, "", "given with the policy")


def _no_section(claims: Claims) -> Check:
    reason = Reason.NO_TEE if isinstance(claims, NoneClaims) else Reason.NO_POLICY_FOR_KIND
    mend = f"a policy that accepts {claims.kind} has a section for it"
    return failed(f"policy for {claims.kind}", reason, "no section", "a section", "policy", mend)
