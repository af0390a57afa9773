# SPDX-License-Identifier: Apache-2.0
"""Making a COSE_Sign1 with a key of our own: for simulated TEEs and for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enarx.codec import cbor
from enarx.evidence.cose import ALG, ES256, ES384, ES512, TAG, signed_bytes

_BY_CURVE: dict[str, tuple[int, hashes.HashAlgorithm, int]] = {
    "secp256r1": (ES256, hashes.SHA256(), 32),
    "secp384r1": (ES384, hashes.SHA384(), 48),
    "secp521r1": (ES512, hashes.SHA512(), 66),
}


def sign1(
    payload: bytes,
    key: ec.EllipticCurvePrivateKey,
    *,
    protected: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    tagged: bool = True,
    external_aad: bytes = b"",
) -> bytes:
    """A COSE_Sign1 over `payload`. The algorithm is the key's own unless `protected` says otherwise."""
    algorithm, digest, half = _BY_CURVE[key.curve.name]
    header = cbor.encode({ALG: algorithm} if protected is None else dict(protected))
    r, s = decode_dss_signature(key.sign(signed_bytes(header, payload, external_aad), ec.ECDSA(digest)))
    parts = [header, dict(unprotected or {}), payload, r.to_bytes(half, "big") + s.to_bytes(half, "big")]
    return cbor.encode(cbor2.CBORTag(TAG, parts) if tagged else parts)
