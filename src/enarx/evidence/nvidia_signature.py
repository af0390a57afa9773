# SPDX-License-Identifier: Apache-2.0
"""The signature of an SPDM report: ECDSA P-384 with SHA-384, r ‖ s, big endian."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from enarx.codec.x509 import Certificate
from enarx.errors import Reason
from enarx.evidence.check import Trail
from enarx.evidence.spdm import SIGNATURE_SIZE, Measurements

SOURCE = "DSP0274 1.1 section 10.11.2: TPM_ALG_ECDSA_ECC_NIST_P384, over L1"


def require_signed(measurements: Measurements, leaf: Certificate, trail: Trail) -> None:
    """The key of `leaf` signed the request and the response."""
    key = leaf.public_key
    trail.require(
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp384r1",
        Reason.ALGORITHM,
        "device key",
        expectation="ECDSA P-384",
        source=SOURCE,
    )
    trail.require(
        isinstance(key, ec.EllipticCurvePublicKey) and _signed(measurements, key),
        Reason.SIGNATURE_INVALID,
        "SPDM measurements: signature",
        expectation=f"by {leaf.common_name()}",
        source=SOURCE,
    )


def _signed(measurements: Measurements, key: ec.EllipticCurvePublicKey) -> bool:
    half = SIGNATURE_SIZE // 2
    r = int.from_bytes(measurements.signature[:half], "big")
    s = int.from_bytes(measurements.signature[half:], "big")
    try:
        key.verify(encode_dss_signature(r, s), measurements.signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return False
    return True
