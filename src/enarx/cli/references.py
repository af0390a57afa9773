# SPDX-License-Identifier: Apache-2.0
"""Reference values that are named on the command line: CoRIM files, and the keys that sign them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.appraisal import corim
from enarx.appraisal.policy import Loaded
from enarx.appraisal.reference import joined
from enarx.cli import files
from enarx.errors import Misused, Reason
from enarx.evidence.check import Trail

LIMIT = 32 << 20


def with_references(loaded: Loaded, manifests: Sequence[Path], keys: Sequence[Path], *, when: datetime) -> Loaded:
    """The policy with the values of signed manifests; unsigned, expired or foreign ones are refused.

    keys  PEM public keys of P-256 or P-384, any of which may have signed each manifest
    """
    if bool(manifests) != bool(keys):
        given, missing = (
            ("--reference-values", "--reference-key") if manifests else ("--reference-key", "--reference-values")
        )
        raise Misused(Reason.USAGE, f"{given} without {missing}", hint=f"{missing} FILE")
    trusted = dict(map(public_key, keys))
    read = [files.parsed(path, corim.parse, limit=LIMIT) for path in manifests]
    return joined(loaded, corim.believed(read, trusted, when=when, trail=Trail())) if read else loaded


def public_key(path: Path) -> tuple[bytes, ec.EllipticCurvePublicKey]:
    """A P-256 or P-384 public key in PEM: its SubjectPublicKeyInfo, and itself."""
    try:
        key = serialization.load_pem_public_key(files.read(path, limit=1 << 16))
    except ValueError as error:
        raise Misused(Reason.SYNTAX, f"{path}: not a public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Misused(Reason.ALGORITHM, f"{path}: a key of P-256 or P-384 is wanted")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form), key
