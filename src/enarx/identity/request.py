# SPDX-License-Identifier: Apache-2.0
"""Certification requests (PKCS#10, RFC 2986): proof that the sender has the key, and no more.

The subject and names that a request asks for are never read: what a certificate says is the
Steward's to say.
"""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enarx.codec.der import BIT_STRING, Der
from enarx.codec.x509 import PublicKey, verified
from enarx.errors import Malformed, Reason, Unauthentic

MAX_BYTES = 256 << 10
"""Upstream's SGX requests, which carry collateral, have 15 kB."""

_TROUBLE = (ValueError, TypeError, UnsupportedAlgorithm, OverflowError, x509.DuplicateExtension, x509.InvalidVersion)


class Request(msgspec.Struct, frozen=True):
    """A request whose own signature holds.

    raw         as received, DER
    spki        the key's SubjectPublicKeyInfo, DER
    extensions  requested extensions: dotted OID -> critical, bytes inside the OCTET STRING
    attributes  dotted OIDs of its attributes
    """

    raw: bytes
    spki: bytes
    extensions: dict[str, tuple[bool, bytes]]
    attributes: tuple[str, ...]


def parse(raw: bytes) -> Request:
    """A request that proves possession of its key.

    `Malformed` unless it is exactly one PKCS#10 request; `Unauthentic` when its signature does
    not hold or is of an algorithm that we don't take.
    """
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"certification request: {len(raw)} bytes, at most {MAX_BYTES}")
    try:
        found = x509.load_der_x509_csr(raw)
        key: Any = found.public_key()
        algorithm = found.signature_algorithm_oid.dotted_string
        signature, signed = found.signature, found.tbs_certrequest_bytes
        attributes = tuple(one.oid.dotted_string for one in found.attributes)
        extensions = {one.oid.dotted_string: (one.critical, _value(one)) for one in found.extensions}
    except _TROUBLE as error:
        raise Malformed(Reason.SYNTAX, f"certification request: {error}") from None
    _require_whole(raw)
    if not _acceptable(key):
        raise Unauthentic(Reason.ALGORITHM, "certification request: a key of P-256, P-384 or RSA of 2048 bits or more")
    if not verified(key, signature, signed, algorithm):
        raise Unauthentic(Reason.SIGNATURE_INVALID, "certification request")
    return Request(raw, spki_of(key), extensions, attributes)


def _require_whole(raw: bytes) -> None:
    """Every bit counts: the library lets the signature's octet of unused bits say anything."""
    outer = Der(raw, "certification request")
    body = outer.sequence("request")
    outer.done()
    body.raw("certificationRequestInfo")
    body.raw("signatureAlgorithm")
    bits = body.element(BIT_STRING, "signature")
    body.done()
    if bits[:1] != b"\0":
        raise Malformed(Reason.NOT_CANONICAL, "certification request: unused bits of the signature")


def _acceptable(key: object) -> bool:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.curve.name in {"secp256r1", "secp384r1"}
    return isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 4096


def _value(extension: x509.Extension[Any]) -> bytes:
    value = extension.value
    return value.value if isinstance(value, x509.UnrecognizedExtension) else bytes(value.public_bytes())


def spki_of(key: PublicKey) -> bytes:
    """A key's SubjectPublicKeyInfo, DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def make(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A request for `key`, DER: empty subject, no extensions."""
    hashed = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashed)
    return made.public_bytes(serialization.Encoding.DER)
