# SPDX-License-Identifier: Apache-2.0
"""CRLs (RFC 5280 section 5) and OCSP answers (RFC 6960), put together in DER as certificates are.

OCSP is signed by the CA itself, so no responder's certificate is needed. SHA-1 is used where the
protocol names issuers by it; nothing rests on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import OCSPNonce, ocsp

from enarx.codec.der import BIT_STRING, ENUMERATED, OCTET_STRING, SEQUENCE, Der, write, write_integer, write_oid
from enarx.errors import Malformed, Reason
from enarx.identity import profile
from enarx.identity.authority import Authority

CRL_LIFE = timedelta(minutes=60)
OCSP_LIFE = timedelta(minutes=5)
MAX_REQUEST = 4096
CRL_NUMBER, CRL_REASON = "2.5.29.20", "2.5.29.21"
OCSP_NONCE = "1.3.6.1.5.5.7.48.1.2"
_BASIC_RESPONSE = "1.3.6.1.5.5.7.48.1.1"
_GENERALIZED_TIME = 0x18


class Revoked(msgspec.Struct, frozen=True):
    """A certificate that is revoked: when, and why (CRLReason, RFC 5280 section 5.3.1)."""

    serial: int
    time: datetime
    reason: int


def crl(authority: Authority, revoked: Iterable[Revoked], *, when: datetime, life: timedelta = CRL_LIFE) -> bytes:
    """A CRL. Its number grows with time."""
    entries = [
        write(
            SEQUENCE,
            write_integer(one.serial),
            profile.time(one.time),
            write(SEQUENCE, profile.extension(CRL_REASON, write(ENUMERATED, bytes([one.reason])))),
        )
        for one in revoked
    ]
    extensions = write(
        SEQUENCE,
        profile.authority_key(authority.key_identifier),
        profile.extension(CRL_NUMBER, write_integer(int(when.timestamp() * 1000))),
    )
    body = write(
        SEQUENCE,
        write_integer(1),
        authority.signer.algorithm,
        authority.certificate.subject,
        profile.time(when),
        profile.time(when + life),
        write(SEQUENCE, *entries) if entries else b"",
        write(0xA0, extensions),
    )
    return profile.certificate(body, authority.signer.algorithm, authority.signer.sign(body))


Standing = Revoked | Literal["good", "unknown"]
"""What is known of a serial number; `unknown`: this CA never issued it."""


class Question(msgspec.Struct, frozen=True):
    """An OCSP request about one certificate of ours.

    identifier  the CertID as it was sent, DER, which the answer repeats
    nonce       of RFC 9654, DER of the extension's value, or None
    """

    serial: int
    identifier: bytes
    ours: bool
    nonce: bytes | None


def parse_ocsp(raw: bytes, authority: Authority) -> Question:
    """An OCSP request; `Malformed` unless it is one, about one certificate."""
    if len(raw) > MAX_REQUEST:
        raise Malformed(Reason.TOO_LARGE, "OCSP request")
    try:
        asked = ocsp.load_der_ocsp_request(raw)
        serial, hashed = asked.serial_number, asked.hash_algorithm.name
        name, key = asked.issuer_name_hash, asked.issuer_key_hash
        nonces = [one.value.nonce for one in asked.extensions if isinstance(one.value, OCSPNonce)]
    except (ValueError, TypeError, UnsupportedAlgorithm, NotImplementedError, OverflowError) as error:
        raise Malformed(Reason.SYNTAX, f"OCSP request: {error}") from None
    if hashed not in {"sha1", "sha256", "sha384", "sha512"}:
        raise Malformed(Reason.ALGORITHM, f"OCSP request: {hashed}")
    if any(not 1 <= len(one) <= 128 for one in nonces):
        raise Malformed(Reason.WRONG_LENGTH, "OCSP request: nonce")  # RFC 9654 section 2.1
    ours = name == _hash(hashed, authority.certificate.subject) and key == _hash(hashed, _key_bits(authority))
    nonce = write(OCTET_STRING, nonces[0]) if nonces else None
    return Question(serial, _identifier(raw), ours, nonce)


def _identifier(raw: bytes) -> bytes:
    """The first CertID's bytes: OCSPRequest > tbsRequest > requestList > Request > reqCert."""
    body = Der(raw, "OCSP request").sequence("request").sequence("tbsRequest")
    while (tag := body.peek()) is not None and tag != SEQUENCE:
        body.raw("version or requestor")
    return body.sequence("requestList").sequence("Request").raw("reqCert")


def answer(authority: Authority, question: Question, status: Standing, *, when: datetime) -> bytes:
    """A signed answer, good for `OCSP_LIFE`."""
    match status:
        case Revoked(_, time, reason):
            said = write(0xA1, _generalized(time), write(0xA0, write(ENUMERATED, bytes([reason]))))
        case "good":
            said = write(0x80)
        case _:
            said = write(0x82)
    single = write(SEQUENCE, question.identifier, said, _generalized(when), write(0xA0, _generalized(when + OCSP_LIFE)))
    responder = write(0xA2, write(OCTET_STRING, _hash("sha1", _key_bits(authority))))
    extensions = b""
    if question.nonce is not None:
        extensions = write(0xA1, write(SEQUENCE, profile.extension(OCSP_NONCE, question.nonce)))
    body = write(SEQUENCE, responder, _generalized(when), write(SEQUENCE, single), extensions)
    basic = profile.certificate(body, authority.signer.algorithm, authority.signer.sign(body))
    inner = write(SEQUENCE, write_oid(_BASIC_RESPONSE), write(OCTET_STRING, basic))
    return write(SEQUENCE, write(ENUMERATED, b"\0"), write(0xA0, inner))


def _generalized(when: datetime) -> bytes:
    return write(_GENERALIZED_TIME, profile.utc(when).strftime("%Y%m%d%H%M%SZ").encode())


def _hash(algorithm: str, raw: bytes) -> bytes:
    return hashlib.new(algorithm, raw, usedforsecurity=False).digest()


def _key_bits(authority: Authority) -> bytes:
    outer = Der(authority.signer.spki, "SubjectPublicKeyInfo").sequence("key")
    outer.element(SEQUENCE, "algorithm")
    return outer.element(BIT_STRING, "bits")[1:]
