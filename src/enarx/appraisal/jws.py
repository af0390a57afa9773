# SPDX-License-Identifier: Apache-2.0
"""JWS in compact form (RFC 7515): a signed attestation result. Made with ES256 and ES384, read with RS256 too.

The verifier's key decides the algorithm; what the header says is only compared with it.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from enarx.codec import json
from enarx.errors import Malformed, Misused, Reason, Unauthentic

TYPE = "eat+jwt"
MAX_BYTES = 1 << 20
_Digest = type[hashes.SHA256 | hashes.SHA384]
_CURVES: dict[str, tuple[str, _Digest, int]] = {
    "secp256r1": ("ES256", hashes.SHA256, 32),
    "secp384r1": ("ES384", hashes.SHA384, 48),
}


def sign(claims: dict[str, Any], key: ec.EllipticCurvePrivateKey, *, kind: str = TYPE) -> str:
    """The token; the key is of P-256 or P-384."""
    algorithm, digest, size = _suite(key.curve)
    header = msgspec.json.encode({"alg": algorithm, "typ": kind}, order="sorted")
    signed = f"{base64url(header)}.{base64url(msgspec.json.encode(claims, order='sorted'))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(digest())))
    return f"{signed}.{base64url(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"


def verify(token: str, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, *, kind: str = TYPE) -> Any:
    """The claims that `key` signed. `Malformed` or `Unauthentic` otherwise; time is the caller's question."""
    algorithm = "RS256" if isinstance(key, rsa.RSAPublicKey) else _suite(key.curve)[0]
    if len(token) > MAX_BYTES or token.count(".") != 2:
        raise Malformed(Reason.SYNTAX, "token: not a JWS in compact form")
    signed, _, last = token.rpartition(".")
    first, _, payload = signed.partition(".")
    header = json.decode(_bytes(first), "token header")
    if not isinstance(header, dict) or header.get("alg") != algorithm:
        raise Unauthentic(Reason.ALGORITHM, "token: alg is not the key's")
    if header.get("typ") != kind or header.keys() & {"crit", "b64", "jwk", "x5c", "jku", "x5u"}:
        raise Malformed(Reason.UNKNOWN_VALUE, "token: header")
    try:
        _require_signature(key, _bytes(last), signed.encode())
    except InvalidSignature:
        raise Unauthentic(Reason.SIGNATURE_INVALID, "token") from None
    return json.decode(_bytes(payload), "token claims")


def _require_signature(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, signature: bytes, signed: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        return
    _, digest, size = _suite(key.curve)
    if len(signature) != 2 * size:
        raise Malformed(Reason.WRONG_LENGTH, "token: signature")
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest()))


def _suite(curve: ec.EllipticCurve) -> tuple[str, _Digest, int]:
    if curve.name not in _CURVES:
        raise Misused(Reason.ALGORITHM, f"key of {curve.name}", hint="use P-256 or P-384")
    return _CURVES[curve.name]


def base64url(raw: bytes) -> str:
    """RFC 4648 section 5, without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Strict base64url: no padding, no other alphabet, no bits left over."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raise Malformed(Reason.SYNTAX, "token: not base64url") from None
    if base64url(raw) != text:
        raise Malformed(Reason.NOT_CANONICAL, "token: not base64url")
    return raw
