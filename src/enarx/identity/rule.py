# SPDX-License-Identifier: Apache-2.0
"""A policy with what it grants, and what its sections ask of the CA that issues under it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from enarx.appraisal.policy import Loaded
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import PRODUCTION, Anchors
from enarx.identity.authority import Authority, Terms

_TEES = ("snp", "sgx", "tdx", "nitro", "nitrotpm", "azure", "nvidia_gpu", "nvidia_switch", "cca", "psa")


class Rule(msgspec.Struct, frozen=True):
    """A policy and what it grants. `text`: of its file, for those who may read it."""

    policy: Loaded
    terms: Terms
    text: bytes = b""


def require_one_anchor_set(authority: Authority, rules: Iterable[Rule], anchors: Anchors) -> None:
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
    for rule in rules:
        _require_words(authority, rule, anchors)


def _require_words(authority: Authority, rule: Rule, anchors: Anchors) -> None:
    policy = rule.policy.policy
    own = authority.certificate.name
    asks_for_tee = any(getattr(policy, section) is not None for section in _TEES)
    if anchors.name == PRODUCTION and "none" in authority.words and asks_for_tee:
        raise Misused(
            Reason.NO_TEE,
            f"policy {policy.name!r} for tees with the CA {own}",
            hint="one CA never holds both anchor sets: give keeps without a tee a CA of their own",
        )
    if policy.none is not None and "none" not in authority.words:
        raise Misused(
            Reason.NO_TEE,
            f"policy {policy.name!r} has a section for keeps without a tee, and the CA is {own}",
            hint="a CA that issues to them has the word none in its subject",
        )
