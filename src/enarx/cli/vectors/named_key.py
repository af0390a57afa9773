# SPDX-License-Identifier: Apache-2.0
"""Public keys out of whatever file their owner published them in.

PEM or DER (a public key, a certificate, or a private key of a test, of which only the public
half is used), JWK and JWK sets, trust-anchor lists that hold JWKs, a COSE_Key, a bare point.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enarx.codec import json
from enarx.errors import EnarxError, Malformed, Reason
from enarx.evidence.cca_key import realm_key

_TROUBLE = (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error)
_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def named_keys(raw: bytes, where: str) -> tuple[bytes, ...]:
    """DER SubjectPublicKeyInfos of the keys in a file; `where` names it in errors."""
    if raw.lstrip()[:1] in (b"{", b"["):
        found = tuple(_spki(key) for key in _from_json(json.decode(raw, where)))
    else:
        found = tuple(_spki(key) for key in _first_that_reads(raw))
    if not found:
        raise Malformed(Reason.KEY_INVALID, f"{where}: no public key in a form that we read")
    return found


def _first_that_reads(raw: bytes) -> Iterator[Any]:
    for read in _READERS:
        try:
            key = read(raw)
        except (*_TROUBLE, EnarxError):
            continue
        yield key
        return


_READERS: tuple[Callable[[bytes], Any], ...] = (
    serialization.load_pem_public_key,
    lambda raw: serialization.load_pem_private_key(raw, None).public_key(),
    lambda raw: x509.load_pem_x509_certificate(raw).public_key(),
    serialization.load_der_public_key,
    lambda raw: serialization.load_der_private_key(raw, None).public_key(),
    lambda raw: x509.load_der_x509_certificate(raw).public_key(),
    realm_key,
)


def _spki(key: Any) -> bytes:
    der: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return der


def _from_json(value: Any) -> Iterator[Any]:
    """Every JWK in a document, however deep it lies in lists and objects."""
    match value:
        case {"kty": "EC"}:
            yield _elliptic(value)
        case {"kty": "RSA"}:
            yield _rsa(value)
        case dict():
            for inner in value.values():
                yield from _from_json(inner)
        case list():
            for inner in value:
                yield from _from_json(inner)


def _elliptic(jwk: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    """RFC 7518 section 6.2.1."""
    try:
        curve = _CURVES[jwk["crv"]]
        return ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve).public_key()
    except (*_TROUBLE, KeyError, AttributeError) as error:
        raise Malformed(Reason.KEY_INVALID, f"JWK: {error}") from None


def _rsa(jwk: dict[str, Any]) -> rsa.RSAPublicKey:
    """RFC 7518 section 6.3.1."""
    try:
        return rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
    except (*_TROUBLE, KeyError, AttributeError) as error:
        raise Malformed(Reason.KEY_INVALID, f"JWK: {error}") from None


def _number(text: str) -> int:
    padded = text + "=" * (-len(text) % 4)
    return int.from_bytes(base64.urlsafe_b64decode(padded.encode()), "big")
