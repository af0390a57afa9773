# SPDX-License-Identifier: Apache-2.0
"""The attestation key as it arrives: TPMT_PUBLIC, TPM2B_PUBLIC, or a SubjectPublicKeyInfo.

Only a TPM structure says what the key may be used for. A bare key says nothing: then its
certificate, a report that holds its digest, or the caller must vouch for its use.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enarx.codec.cursor import Cursor
from enarx.codec.x509 import PublicKey
from enarx.errors import Malformed, Reason
from enarx.evidence.event_log import ALGORITHMS
from enarx.evidence.tpm_attest import sized

MAX_BYTES = 8192
ALG_RSA, ALG_ECC, ALG_NULL = 0x0001, 0x0023, 0x0010
RSASSA, RSAPSS, ECDSA = 0x0014, 0x0016, 0x0018
SCHEMES = {ALG_RSA: (RSASSA, RSAPSS), ALG_ECC: (ECDSA,)}
_CURVES: dict[int, ec.EllipticCurve] = {3: ec.SECP256R1(), 4: ec.SECP384R1(), 5: ec.SECP521R1()}

# TPMA_OBJECT, Part 2 section 8.3
FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN = 1 << 1, 1 << 4, 1 << 5
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18
_DEFINED = sum(1 << bit for bit in (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19))
ATTESTATION = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | SIGN
"""What an attestation key is: made inside the TPM, never outside it, and signing nothing that
the TPM did not make itself."""


class AttestationKey(msgspec.Struct, frozen=True):
    """A public key, and what a TPM structure says of its use.

    attributes TPMA_OBJECT, or None: a bare key
    scheme, algorithm  the only scheme and hash that it signs with, or None: any
    """

    key: PublicKey
    attributes: int | None = None
    scheme: int | None = None
    algorithm: str | None = None

    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, DER."""
        return spki_of(self.key)

    def is_attestation_key(self) -> bool | None:
        """Whether the attributes are those of an attestation key; None where there are none."""
        if self.attributes is None:
            return None
        return self.attributes & ATTESTATION == ATTESTATION and not self.attributes & DECRYPT


def spki_of(key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo of a key, DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def parse(raw: bytes) -> AttestationKey:
    """A key in any of its forms, told apart by content."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"attestation key: {len(raw)} bytes")
    if raw.lstrip().startswith(b"-----"):
        return AttestationKey(_loaded(raw.rstrip(b"\0"), pem=True))
    if raw[:1] == b"\x30":
        return AttestationKey(_loaded(raw, pem=False))
    if int.from_bytes(raw[:2], "big") == len(raw) - 2:  # TPM2B_PUBLIC: the structure with its size before it
        return _tpmt_public(raw[2:])
    return _tpmt_public(raw)


def _loaded(raw: bytes, *, pem: bool) -> PublicKey:
    load = serialization.load_pem_public_key if pem else serialization.load_der_public_key
    try:
        key = load(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Malformed(Reason.SYNTAX, f"attestation key: {error}") from None
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return key
    raise Malformed(Reason.UNKNOWN_KIND, "attestation key: neither RSA nor ECC")


def _tpmt_public(raw: bytes) -> AttestationKey:
    """TPMT_PUBLIC of a signing key, Part 2 section 12.2.4."""
    cursor = Cursor(raw, "TPMT_PUBLIC")
    kind = cursor.big(2, "type")
    _hash(cursor, "nameAlg")
    attributes = cursor.big(4, "objectAttributes")
    if attributes & ~_DEFINED:
        raise Malformed(Reason.RESERVED_NOT_ZERO, f"TPMT_PUBLIC: attributes {attributes:#010x}")
    sized(cursor, "authPolicy")
    if attributes & DECRYPT and cursor.raw[cursor.at : cursor.at + 2] != ALG_NULL.to_bytes(2, "big"):
        cursor.take(6, "symmetric")  # of a storage key, which is refused for that attribute
    elif cursor.big(2, "symmetric") != ALG_NULL:
        raise Malformed(Reason.INCONSISTENT, "TPMT_PUBLIC: a signing key with a symmetric algorithm")
    scheme = cursor.big(2, "scheme")
    if scheme not in (ALG_NULL, *SCHEMES.get(kind, ())):
        raise Malformed(Reason.UNKNOWN_VALUE, f"TPMT_PUBLIC: scheme {scheme:#06x}")
    algorithm = None if scheme == ALG_NULL else _hash(cursor, "scheme.hashAlg")
    key = _rsa(cursor) if kind == ALG_RSA else _ecc(cursor, kind)
    cursor.done()
    return AttestationKey(key, attributes, None if scheme == ALG_NULL else scheme, algorithm)


def _hash(cursor: Cursor, field: str) -> str:
    number = cursor.big(2, field)
    if number not in ALGORITHMS:
        raise Malformed(Reason.UNKNOWN_VALUE, f"TPMT_PUBLIC: {field} {number:#06x}")
    return ALGORITHMS[number]


def _rsa(cursor: Cursor) -> PublicKey:
    bits = cursor.big(2, "keyBits")
    exponent = cursor.big(4, "exponent") or 65537
    modulus = int.from_bytes(sized(cursor, "unique.rsa", 1024), "big")
    if modulus.bit_length() != bits:
        raise Malformed(Reason.INCONSISTENT, f"TPMT_PUBLIC: modulus of {modulus.bit_length()} bits, keyBits {bits}")
    return rsa_key(modulus, exponent)


def rsa_key(modulus: int, exponent: int) -> PublicKey:
    """An RSA key from its numbers."""
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed(Reason.KEY_INVALID, f"attestation key: {error}") from None


def _ecc(cursor: Cursor, kind: int) -> PublicKey:
    if kind != ALG_ECC:
        raise Malformed(Reason.UNKNOWN_VALUE, f"TPMT_PUBLIC: type {kind:#06x}")
    number = cursor.big(2, "curveID")
    if cursor.big(2, "kdf") != ALG_NULL:
        raise Malformed(Reason.UNKNOWN_VALUE, "TPMT_PUBLIC: kdf")  # none is defined for signing keys
    x, y = (int.from_bytes(sized(cursor, f"unique.ecc.{name}"), "big") for name in ("x", "y"))
    if number not in _CURVES:
        raise Malformed(Reason.UNKNOWN_VALUE, f"TPMT_PUBLIC: curve {number:#06x}")
    try:
        return ec.EllipticCurvePublicNumbers(x, y, _CURVES[number]).public_key()
    except ValueError as error:
        raise Malformed(Reason.KEY_INVALID, f"attestation key: {error}") from None


def from_jwk(jwk: dict[str, Any], what: str) -> AttestationKey:
    """An RSA JWK (RFC 7517), as the HCL report has it."""
    if jwk.get("kty") != "RSA":
        raise Malformed(Reason.UNKNOWN_KIND, f"{what}: kty")
    modulus, exponent = (_number(jwk.get(name), f"{what}: {name}") for name in ("n", "e"))
    return AttestationKey(rsa_key(modulus, exponent))


def _number(value: Any, what: str) -> int:
    if not isinstance(value, str) or not value.isascii() or len(value) > 2048:
        raise Malformed(Reason.WRONG_TYPE, what)
    try:
        return int.from_bytes(base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True), "big")
    except ValueError:
        raise Malformed(Reason.SYNTAX, what) from None
