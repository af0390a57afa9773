# SPDX-License-Identifier: Apache-2.0
"""A tenant's signature over a package: a JWS (RFC 7515) whose payload is the entry of its root.

General JSON serialisation, as the Drawbridge keeps it as a signed tag. The protected header
carries `security_version`, a number that only grows, and marks it critical: who does not know it
must refuse the signature (RFC 7515 section 4.1.11).
"""

from __future__ import annotations

import base64
import binascii
import json as stdlib_json
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from enarx.codec import json
from enarx.codec.digest import sha256
from enarx.errors import Malformed, Misused, Reason, Unacceptable, Unauthentic
from enarx.workload.tree import DIRECTORY, Entry, parse_entry

MEDIA_TYPE = "application/jose+json"
MAX_BYTES = 64_000
TYPE = "enarx-package+jws"
MAX_SIGNATURES = 16

# RFC 7518 section 3.4: algorithm, curve, hash, octets of R and of S
_CURVES: dict[str, tuple[str, type[ec.EllipticCurve], hashes.HashAlgorithm, int]] = {
    "ES256": ("secp256r1", ec.SECP256R1, hashes.SHA256(), 32),
    "ES384": ("secp384r1", ec.SECP384R1, hashes.SHA384(), 48),
}


class Signature(msgspec.Struct, frozen=True):
    """One signature of a JWS: its protected header as received, and the raw signature."""

    protected: str
    header: dict[str, Any]
    raw: bytes


class Jws(msgspec.Struct, frozen=True):
    """A JWS as received: the payload, still encoded for the signature, and who signed."""

    encoded: str
    payload: bytes
    signatures: tuple[Signature, ...]


class Signed(msgspec.Struct, frozen=True):
    """A package that a trusted key vouches for.

    entry             what the signature says of the root directory
    package           its digest, 32 bytes
    security_version  as signed
    signer            SHA-256 of the signer's SubjectPublicKeyInfo
    """

    entry: Entry
    package: bytes
    security_version: int
    signer: bytes


def sign(entry: Entry, key: ec.EllipticCurvePrivateKey, *, security_version: int) -> bytes:
    """The JWS over `entry` by a P-256 or P-384 key, as compact JSON."""
    if not 0 <= security_version < 1 << 32:
        raise Misused(Reason.UNKNOWN_VALUE, f"security version {security_version}")
    algorithm = _algorithm(key.public_key())
    _, _, digest, size = _CURVES[algorithm]
    header = {
        "alg": algorithm,
        "crit": ["security_version"],
        "kid": signer(key.public_key()).hex(),
        "security_version": security_version,
        "typ": TYPE,
    }
    protected = _encode(stdlib_json.dumps(header, separators=(",", ":"), sort_keys=True).encode())
    payload = _encode(entry.encoded())
    r, s = decode_dss_signature(key.sign(f"{protected}.{payload}".encode(), ec.ECDSA(digest)))
    raw = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    table = {"payload": payload, "signatures": [{"protected": protected, "signature": _encode(raw)}]}
    return stdlib_json.dumps(table, separators=(",", ":"), sort_keys=True).encode()


def signer(key: ec.EllipticCurvePublicKey) -> bytes:
    """The name of a signing key: SHA-256 of its SubjectPublicKeyInfo."""
    return sha256(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def parse(raw: bytes) -> Jws:
    """A JWS in general or flattened JSON serialisation; `Malformed` otherwise."""
    table = json.decode(raw, "JWS", limit=MAX_BYTES)
    if not isinstance(table, dict) or not isinstance(table.get("payload"), str):
        raise Malformed(Reason.MISSING, "JWS: payload")
    given = table.get("signatures", [table])
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_SIGNATURES:
        raise Malformed(Reason.MISSING, "JWS: signatures")
    encoded = table["payload"]
    return Jws(encoded, _decode(encoded, "JWS: payload"), tuple(_signature(one) for one in given))


def verify(raw: bytes, keys: tuple[ec.EllipticCurvePublicKey, ...], *, minimum_security_version: int = 0) -> Signed:
    """The package that one of `keys` signed. `Unauthentic` when none did, `Unacceptable` when too old."""
    jws = parse(raw)
    trusted = {signer(key).hex(): key for key in keys}
    for one in jws.signatures:
        key = trusted.get(str(one.header.get("kid")))
        if key is not None:
            return _verified(jws, one, key, minimum_security_version)
    raise Unauthentic(Reason.UNKNOWN_ANCHOR, "package signature: by no trusted key")


def _verified(jws: Jws, one: Signature, key: ec.EllipticCurvePublicKey, minimum: int) -> Signed:
    algorithm = _algorithm(key)
    _, _, digest, size = _CURVES[algorithm]
    # The key decides on the algorithm; a header that says otherwise is refused.
    if one.header.get("alg") != algorithm or len(one.raw) != 2 * size:
        raise Unauthentic(Reason.ALGORITHM, "package signature")
    raw = encode_dss_signature(int.from_bytes(one.raw[:size], "big"), int.from_bytes(one.raw[size:], "big"))
    try:
        key.verify(raw, f"{one.protected}.{jws.encoded}".encode(), ec.ECDSA(digest))
    except InvalidSignature:
        raise Unauthentic(Reason.SIGNATURE_INVALID, "package signature") from None
    version = _security_version(one.header)
    if version < minimum:
        raise Unacceptable(Reason.SECURITY_VERSION_TOO_LOW, f"package: {version}, at least {minimum}")
    entry = parse_entry(jws.payload, "package signature: payload")
    package = entry.digest.get("sha-256")
    if package is None or entry.type != DIRECTORY:
        raise Malformed(Reason.MISSING, "package signature: SHA-256 of a directory")
    return Signed(entry, package, version, signer(key))


def _security_version(header: dict[str, Any]) -> int:
    version = header.get("security_version")
    if header.get("typ") != TYPE or header.get("crit") != ["security_version"]:
        raise Malformed(Reason.UNKNOWN_KIND, "package signature: typ and crit")
    if type(version) is not int or not 0 <= version < 1 << 32:
        raise Malformed(Reason.WRONG_TYPE, "package signature: security_version")
    return version


def _algorithm(key: ec.EllipticCurvePublicKey) -> str:
    for name, (curve, *_) in _CURVES.items():
        if key.curve.name == curve:
            return name
    raise Misused(Reason.ALGORITHM, f"signing key on {key.curve.name}", hint="use a P-256 or P-384 key")


def _signature(value: object) -> Signature:
    if not isinstance(value, dict):
        raise Malformed(Reason.WRONG_TYPE, "JWS: signature")
    protected, raw = value.get("protected"), value.get("signature")
    if not isinstance(protected, str) or not isinstance(raw, str):
        raise Malformed(Reason.MISSING, "JWS: protected header and signature")
    header = json.decode(_decode(protected, "JWS: protected header"), "JWS: protected header", limit=MAX_BYTES)
    if not isinstance(header, dict):
        raise Malformed(Reason.WRONG_TYPE, "JWS: protected header")
    return Signature(protected, header, _decode(raw, "JWS: signature"))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(Reason.SYNTAX, f"{what}: not base64url") from None
    if _encode(raw) != text:
        raise Malformed(Reason.NOT_CANONICAL, f"{what}: base64url")
    return raw
