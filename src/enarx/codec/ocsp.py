# SPDX-License-Identifier: Apache-2.0
"""OCSP responses (RFC 6960) from strangers, read by `cryptography`, refused in our family.

A response is parsed, not believed: who signed it, and for whom, is for a judge to say.
"""

from __future__ import annotations

import functools
from datetime import datetime
from enum import StrEnum

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import DuplicateExtension, ExtensionNotFound, OCSPNonce, ReasonFlags, ocsp

from enarx.codec import der
from enarx.codec.der import Der
from enarx.codec.x509 import Certificate, PublicKey, verified
from enarx.errors import Malformed, Reason

_TROUBLE = (ValueError, TypeError, UnsupportedAlgorithm, DuplicateExtension, OverflowError)

MAX_BYTES = 64 << 10
MAX_SINGLES = 64
MAX_CERTIFICATES = 8

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - see below
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"""SHA-1 names an issuer in a CertID here; it signs nothing."""


class Status(StrEnum):
    """What a responder says of one certificate."""

    GOOD = "good"
    HOLD = "hold"
    """Revoked with reason certificateHold, which may be taken back (RFC 5280 section 5.3.1)."""
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class Single(msgspec.Struct, frozen=True):
    """One SingleResponse: a certificate by its issuer's hashes and its serial number, and its status."""

    algorithm: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int
    status: Status
    this_update: datetime
    next_update: datetime | None

    def concerns(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether this is about `certificate`, as issued by `issuer`."""
        return (
            self.serial == certificate.serial
            and certificate.issuer == issuer.subject
            and self.issuer_name_hash == _hashed(self.algorithm, issuer.subject)
            and self.issuer_key_hash == _hashed(self.algorithm, _key_bits(issuer))
        )


class Response(msgspec.Struct, frozen=True):
    """A successful basic response as received.

    certificates of the responder, as sent along
    nonce        the value of the nonce extension, or None
    """

    raw: bytes
    tbs: bytes
    signature: bytes
    algorithm: str
    certificates: tuple[Certificate, ...]
    singles: tuple[Single, ...]
    nonce: bytes | None

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` made the signature over the bytes received."""
        return verified(key, self.signature, self.tbs, self.algorithm)


def parse(raw: bytes, what: str = "OCSP response") -> Response:
    """Read a response; `Malformed` unless it is one, says "successful", and is of the basic kind."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(raw)} bytes")
    try:
        return _read(raw, what)
    except _TROUBLE as error:
        raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None


def _read(raw: bytes, what: str) -> Response:
    found = ocsp.load_der_ocsp_response(raw)
    if found.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{what}: {found.response_status.name.lower()}")
    singles = tuple(_single(one, what) for one in found.responses)
    if not 1 <= len(singles) <= MAX_SINGLES or len(found.certificates) > MAX_CERTIFICATES:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(singles)} answers")
    return Response(
        raw,
        found.tbs_response_bytes,
        found.signature,
        found.signature_algorithm_oid.dotted_string,
        tuple(Certificate(one.public_bytes(serialization.Encoding.DER), what) for one in found.certificates),
        singles,
        _nonce(found),
    )


def _nonce(found: ocsp.OCSPResponse) -> bytes | None:
    try:
        return found.extensions.get_extension_for_class(OCSPNonce).value.nonce
    except ExtensionNotFound:
        return None


def _single(one: ocsp.OCSPSingleResponse, what: str) -> Single:
    if one.hash_algorithm.name not in _HASHES:
        raise Malformed(Reason.ALGORITHM, f"{what}: CertID by {one.hash_algorithm.name}")
    return Single(
        one.hash_algorithm.name,
        one.issuer_name_hash,
        one.issuer_key_hash,
        one.serial_number,
        _status(one),
        one.this_update_utc,
        one.next_update_utc,
    )


def _status(one: ocsp.OCSPSingleResponse) -> Status:
    match one.certificate_status:
        case ocsp.OCSPCertStatus.GOOD:
            return Status.GOOD
        case ocsp.OCSPCertStatus.REVOKED:
            return Status.HOLD if one.revocation_reason is ReasonFlags.certificate_hold else Status.REVOKED
        case _:
            return Status.UNKNOWN


def _key_bits(issuer: Certificate) -> bytes:
    """RFC 6960 section 4.1.1: the key's BIT STRING without tag, length and number of unused bits."""
    key = Der(issuer.spki, "issuer key").sequence("SubjectPublicKeyInfo")
    key.sequence("algorithm")
    return key.element(der.BIT_STRING, "subjectPublicKey")[1:]


@functools.lru_cache(maxsize=256)
def _hashed(algorithm: str, raw: bytes) -> bytes:
    digest = hashes.Hash(_HASHES[algorithm])
    digest.update(raw)
    return digest.finalize()


def request(certificate: Certificate, issuer: Certificate, nonce: bytes) -> bytes:
    """An OCSPRequest, DER, about one certificate (CertID by SHA-384), with a nonce (RFC 9654)."""
    algorithm = hashes.SHA384()
    name, key = _hashed(algorithm.name, issuer.subject), _hashed(algorithm.name, _key_bits(issuer))
    built = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, certificate.serial, algorithm)
    return built.add_extension(OCSPNonce(nonce), critical=False).build().public_bytes(serialization.Encoding.DER)
