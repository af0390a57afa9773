# SPDX-License-Identifier: Apache-2.0
"""What relying parties need to believe this Steward: its CAs and keys, in three notations."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from enarx.appraisal.jws import base64url
from enarx.codec.x509 import Certificate
from enarx.identity.authority import Authority
from enarx.identity.ca import pem
from enarx.identity.log import LogKey
from enarx.identity.result import key_id

REFRESH = 300
"""Seconds after which a bundle is asked for again (SPIFFE Trust Domain and Bundle section 4.1.3)."""


def jwk(spki: bytes, **more: Any) -> dict[str, Any]:
    """A public key as JWK (RFC 7517), its `kid` as in our JWTs."""
    key = load_der_public_key(spki)
    said: dict[str, Any] = {"kid": key_id(spki), **more}
    if isinstance(key, ec.EllipticCurvePublicKey):
        numbers, size = key.public_numbers(), (key.key_size + 7) // 8
        curve = {"secp256r1": "P-256", "secp384r1": "P-384"}[key.curve.name]
        x, y = (base64url(one.to_bytes(size, "big")) for one in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": curve, "x": x, "y": y, **said}
    if not isinstance(key, rsa.RSAPublicKey):  # a signer of any other kind does not start
        raise TypeError(type(key).__name__)
    public = key.public_numbers()
    return {
        "kty": "RSA",
        "n": base64url(public.n.to_bytes(-(-public.n.bit_length() // 8), "big")),
        "e": base64url(public.e.to_bytes(-(-public.e.bit_length() // 8), "big")),
        **said,
    }


def roots(authorities: tuple[Authority, ...]) -> tuple[Certificate, ...]:
    """The last certificate of every path: what is to be believed."""
    return tuple(dict.fromkeys(authority.path[-1] for authority in authorities))


def jwks(authorities: tuple[Authority, ...], log: LogKey) -> dict[str, Any]:
    """`/.well-known/jwks.json`: the keys that sign EARs, and the log's."""
    keys = [jwk(one.signer.spki, use="sig", alg=one.signer.jws) for one in authorities]
    keys.append({"kty": "OKP", "crv": "Ed25519", "x": base64url(log.public), "use": "sig", "kid": log.origin})
    return {"keys": keys}


def spiffe(authorities: tuple[Authority, ...], *, sequence: int) -> dict[str, Any]:
    """A SPIFFE bundle (SPIFFE Trust Domain and Bundle section 4): anchors for X.509-SVIDs."""
    anchors = [
        {**jwk(one.spki), "use": "x509-svid", "x5c": [base64.b64encode(one.raw).decode()]} for one in roots(authorities)
    ]
    for one in anchors:
        one.pop("kid")
    return {"keys": anchors, "spiffe_sequence": sequence, "spiffe_refresh_hint": REFRESH}


def as_pem(authorities: tuple[Authority, ...]) -> bytes:
    """The anchors, PEM."""
    return pem(roots(authorities))
