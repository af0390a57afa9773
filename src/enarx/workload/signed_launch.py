# SPDX-License-Identifier: Apache-2.0
"""Who signed the package that a launch document names, by what the document itself says."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from enarx.errors import Malformed, Reason, Unauthentic
from enarx.workload import signature
from enarx.workload.launch import Launch
from enarx.workload.signature import Signed


def launched(launch: Launch) -> Signed | None:
    """The signature over the launch document's package; None when it has none.

    Whether its signer is one to be believed is the caller's question. `Unauthentic` for a signature
    that does not hold or is over another package.
    """
    if launch.signature is None or launch.signer is None:
        return None
    signed = signature.verify(launch.signature, (_key(launch.signer),))
    if signed.package != launch.package:
        raise Unauthentic(Reason.DIGEST_MISMATCH, "package signature: of another package")
    return signed


def _key(spki: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Malformed(Reason.KEY_INVALID, "launch document: signer")
    return key
