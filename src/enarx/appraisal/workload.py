# SPDX-License-Identifier: Apache-2.0
"""Whether the package that a launch document names may run, and who signed it."""

from __future__ import annotations

import msgspec

from enarx.appraisal.expectation import failed, open_, passed
from enarx.appraisal.policy import Policy
from enarx.errors import Reason
from enarx.evidence.check import Check
from enarx.workload.launch import Launch
from enarx.workload.signed_launch import launched


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """What the verifier knows of the package that the launch document names.

    digest            32 bytes, SHA-256 of the root directory's entry
    signers           SHA-256 of each SubjectPublicKeyInfo whose signature over the digest holds
    security_version  as signed with it; None when nobody signed one
    """

    digest: bytes
    signers: frozenset[bytes] = frozenset()
    security_version: int | None = None


def package_of(launch: Launch) -> Package:
    """The package of a launch document, with its signer as far as the document proves one."""
    signed = launched(launch)
    if signed is None:
        return Package(digest=launch.package)
    return Package(digest=launch.package, signers=frozenset({signed.signer}), security_version=signed.security_version)


def package_checks(policy: Policy, package: Package | None) -> tuple[Check, ...]:
    """The package of the launch document is one that may run, signed by whom it must be."""
    return _workload(policy, package), _package_signer(policy, package), _package_version(policy, package)


def _workload(policy: Policy, package: Package | None) -> Check:
    source = "policy: workload"
    if isinstance(policy.workload, str):
        return open_("workload", package.digest if package else "", source)
    if package is None:
        return failed("workload", Reason.WORKLOAD_MISMATCH, "no launch document", "one of those listed", source)
    if package.digest.hex() in policy.workload:
        return passed("workload", package.digest, "one of those listed", source)
    return failed("workload", Reason.WORKLOAD_MISMATCH, package.digest, "one of those listed", source)


def _package_signer(policy: Policy, package: Package | None) -> Check:
    name, source = "package signer", "policy: package_signers"
    signers = package.signers if package is not None else frozenset()
    fact = " ".join(sorted(signer.hex() for signer in signers)) or "none"
    if isinstance(policy.package_signers, str):
        return open_(name, fact, source)
    if any(signer.hex() in policy.package_signers for signer in signers):
        return passed(name, fact, "one of those listed", source)
    return failed(name, Reason.SIGNER_NOT_ACCEPTED, fact, "one of those listed", source)


def _package_version(policy: Policy, package: Package | None) -> Check:
    name, source = "package security version", "policy: minimum_package_security_version"
    found = package.security_version if package is not None else None
    wanted = policy.minimum_package_security_version
    fact: str | int = found if found is not None else "none"
    if isinstance(wanted, str):
        return open_(name, fact, source)
    if found is not None and found >= wanted:
        return passed(name, found, f"at least {wanted}", source)
    return failed(name, Reason.SECURITY_VERSION_TOO_LOW, fact, f"at least {wanted}", source)
