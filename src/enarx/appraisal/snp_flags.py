# SPDX-License-Identifier: Apache-2.0
"""Bits of POLICY and PLATFORM_INFO by name: those that must be set, and those that must not be."""

from __future__ import annotations

import functools
from typing import Literal

import msgspec

from enarx.appraisal.expectation import Unchecked, failed, open_, passed
from enarx.errors import Reason
from enarx.evidence import snp_report
from enarx.evidence.check import Check

PolicyFlag = Literal[
    "SMT", "SingleSocket", "CxlAllow", "MemAes256Xts", "RaplDis", "CiphertextHiding", "PageSwapDisable"
]
"""Upstream's spelling where it had the flag. Debug and MigrateMA are keys of their own."""

POLICY_BITS: dict[str, int] = {
    "SMT": snp_report.POLICY_SMT,
    "SingleSocket": snp_report.POLICY_SINGLE_SOCKET,
    "CxlAllow": snp_report.POLICY_CXL_ALLOW,
    "MemAes256Xts": snp_report.POLICY_MEM_AES_256_XTS,
    "RaplDis": snp_report.POLICY_RAPL_DIS,
    "CiphertextHiding": snp_report.POLICY_CIPHERTEXT_HIDING,
    "PageSwapDisable": snp_report.POLICY_PAGE_SWAP_DISABLE,
}

PlatformFlag = Literal["SMT", "TSME", "ECC", "RaplDis", "CiphertextHiding", "AliasCheckComplete", "TIO", "unknown"]

PLATFORM_BITS: dict[str, int] = {
    "SMT": 1 << 0,
    "TSME": 1 << 1,
    "ECC": 1 << 2,
    "RaplDis": 1 << 3,
    "CiphertextHiding": 1 << 4,
    "AliasCheckComplete": 1 << 5,
    "TIO": 1 << 7,
}
"""AMD 56860 table 24."""

_KNOWN = sum(PLATFORM_BITS.values())


class PolicyFlags(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bits of the guest's POLICY."""

    required: frozenset[PolicyFlag]
    refused: frozenset[PolicyFlag]


class PlatformFlags(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bits of PLATFORM_INFO; "unknown" stands for any bit that this version has no name for."""

    required: frozenset[PlatformFlag]
    refused: frozenset[PlatformFlag]


def policy_flags(bits: int, wanted: PolicyFlags | Unchecked) -> Check:
    """The guest's POLICY has the bits required and none of those refused."""
    return _compared("POLICY flags", _in_policy(bits), wanted, Reason.GUEST_POLICY, "policy: snp.policy_flags")


def platform_flags(bits: int, wanted: PlatformFlags | Unchecked) -> Check:
    """PLATFORM_INFO has the bits required and none of those refused."""
    return _compared(
        "PLATFORM_INFO", _in_platform(bits), wanted, Reason.PLATFORM_CONFIGURATION, "policy: snp.platform_info_flags"
    )


@functools.lru_cache(maxsize=256)
def _in_policy(bits: int) -> frozenset[str]:
    return frozenset(name for name, bit in POLICY_BITS.items() if bits & bit)


@functools.lru_cache(maxsize=256)
def _in_platform(bits: int) -> frozenset[str]:
    named = frozenset(name for name, bit in PLATFORM_BITS.items() if bits & bit)
    return named | {"unknown"} if bits & ~_KNOWN else named


def _compared(
    name: str, found: frozenset[str], wanted: PolicyFlags | PlatformFlags | Unchecked, reason: Reason, source: str
) -> Check:
    fact = _words(found)
    if isinstance(wanted, str):
        return open_(name, fact, source)
    missing = wanted.required - found
    too_much = wanted.refused & found
    expectation = f"with {_words(wanted.required)}, without {_words(wanted.refused)}"
    if missing or too_much:
        return failed(name, reason, fact, expectation, source)
    return passed(name, fact, expectation, source)


@functools.lru_cache(maxsize=256)
def _words(names: frozenset[str]) -> str:
    return " ".join(sorted(names)) or "nothing"
