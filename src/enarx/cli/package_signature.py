# SPDX-License-Identifier: Apache-2.0
"""Who signed the package that a launch document names: a JWS and keys that the verifier trusts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from enarx.appraisal.workload import Package, package_of
from enarx.cli.files import read
from enarx.cli.references import public_key
from enarx.errors import Misused, Reason, Unauthentic
from enarx.workload import signature
from enarx.workload.launch import Launch


class Signatures(msgspec.Struct, frozen=True):
    """What was typed: the signature's file, and PEM files of keys that may have made it."""

    file: Path | None = None
    keys: Sequence[Path] = ()

    def __post_init__(self) -> None:
        if bool(self.keys) != (self.file is not None):
            names = ("--package-signature", "--package-key")
            given, missing = names if self.file is not None else names[::-1]
            raise Misused(Reason.USAGE, f"{given} without {missing}", hint=f"{missing} FILE")

    def package(self, launch: Launch) -> Package:
        """The launch document's package with its signer: of the file, or else of the document itself.

        `Unauthentic` for a signature that does not hold, or is over another package.
        """
        if self.file is None:
            return package_of(launch)
        keys = tuple(public_key(path)[1] for path in self.keys)
        signed = signature.verify(read(self.file, limit=signature.MAX_BYTES), keys)
        if signed.package != launch.package:
            raise Unauthentic(Reason.DIGEST_MISMATCH, f"{self.file}: it signs another package than the launch names")
        return Package(
            digest=launch.package, signers=frozenset({signed.signer}), security_version=signed.security_version
        )
