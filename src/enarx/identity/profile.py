# SPDX-License-Identifier: Apache-2.0
"""The certificate profile (RFC 5280): how the certificates that we issue are put together.

DER is written here and not by a library's builder, because the signing key may be in a token
that only signs bytes, and because the log's promise is put into a certificate whose other bytes
are already fixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime

from enarx.codec.der import (
    BIT_STRING,
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    UTF8_STRING,
    Der,
    write,
    write_integer,
    write_oid,
)
from enarx.errors import Misused, Reason

UTC_TIME, GENERALIZED_TIME = 0x17, 0x18

COMMON_NAME, ORGANIZATION, UNIT, DESCRIPTION = "2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.13"
SUBJECT_KEY_ID, KEY_USAGE, ALT_NAME, BASIC = "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19"
NAME_CONSTRAINTS, CRL_POINTS, AUTHORITY_KEY_ID, EXTENDED_USAGE = "2.5.29.30", "2.5.29.31", "2.5.29.35", "2.5.29.37"
AUTHORITY_INFO = "1.3.6.1.5.5.7.1.1"
OCSP_ACCESS = "1.3.6.1.5.5.7.48.1"
SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
PROMISE = "1.3.6.1.4.1.58270.2.1"
"""Our extension: the promise of the log (`enarx.identity.promise`), below upstream's own arc."""

_SEQUENCE_OF_EXTENSIONS = 0xA3
_TRUE = write(BOOLEAN, b"\xff")
_VERSION_3 = write(0xA0, write(INTEGER, b"\x02"))


def name(*attributes: tuple[str, str]) -> bytes:
    """A distinguished name, DER: one attribute an RDN, in the order given (most significant first)."""
    return write(
        SEQUENCE,
        *(write(SET, write(SEQUENCE, write_oid(oid), write(UTF8_STRING, text.encode()))) for oid, text in attributes),
    )


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """One extension around the DER of its value."""
    return write(SEQUENCE, write_oid(oid), _TRUE if critical else b"", write(OCTET_STRING, value))


def key_identifier(spki: bytes) -> bytes:
    """20 bytes: the left of the SHA-256 of the key's bits (RFC 7093 section 2, method 1)."""
    outer = Der(spki, "SubjectPublicKeyInfo").sequence("key")
    outer.raw("algorithm")
    return hashlib.sha256(outer.element(BIT_STRING, "bits")[1:]).digest()[:20]


def subject_key(identifier: bytes) -> bytes:
    """RFC 5280 section 4.2.1.2."""
    return extension(SUBJECT_KEY_ID, write(OCTET_STRING, identifier))


def authority_key(identifier: bytes) -> bytes:
    """RFC 5280 section 4.2.1.1."""
    return extension(AUTHORITY_KEY_ID, write(SEQUENCE, write(0x80, identifier)))


LEAF_BASIC = extension(BASIC, write(SEQUENCE), critical=True)
LEAF_USAGE = extension(KEY_USAGE, write(BIT_STRING, b"\x07\x80"), critical=True)
"""digitalSignature alone: TLS 1.3 asks for no other."""
LEAF_EXTENDED = extension(EXTENDED_USAGE, write(SEQUENCE, write_oid(SERVER_AUTH), write_oid(CLIENT_AUTH)))
CA_USAGE = extension(KEY_USAGE, write(BIT_STRING, b"\x01\x86"), critical=True)
"""digitalSignature (OCSP, results), keyCertSign, cRLSign."""


def ca_basic(path_length: int) -> bytes:
    """CA:TRUE with a path length (RFC 5280 section 4.2.1.9)."""
    return extension(BASIC, write(SEQUENCE, _TRUE, write_integer(path_length)), critical=True)


def uri_constraint(trust_domain: str) -> bytes:
    """Only URIs of this host (RFC 5280 section 4.2.1.10): the trust domain of a CA, fixed for its life."""
    return extension(NAME_CONSTRAINTS, uri_subtree(trust_domain), critical=True)


def uri_subtree(trust_domain: str) -> bytes:
    """The value of that extension: one permitted subtree."""
    return write(SEQUENCE, write(0xA0, write(SEQUENCE, write(0x86, trust_domain.encode("ascii")))))


def alternative_names(uris: Iterable[str], dns: Iterable[str] = (), addresses: Iterable[bytes] = ()) -> bytes:
    """RFC 5280 section 4.2.1.6."""
    names = [write(0x86, uri.encode("ascii")) for uri in uris]
    names += [write(0x82, one.encode("ascii")) for one in dns]
    names += [write(0x87, one) for one in addresses]
    return extension(ALT_NAME, write(SEQUENCE, *names))


def crl_point(url: str) -> bytes:
    """Where the CRL is (RFC 5280 section 4.2.1.13)."""
    full_name = write(0xA0, write(0xA0, write(0x86, url.encode("ascii"))))
    return extension(CRL_POINTS, write(SEQUENCE, write(SEQUENCE, full_name)))


def ocsp_point(url: str) -> bytes:
    """Where OCSP is asked (RFC 5280 section 4.2.2.1)."""
    return extension(
        AUTHORITY_INFO,
        write(SEQUENCE, write(SEQUENCE, write_oid(OCSP_ACCESS), write(0x86, url.encode("ascii")))),
    )


def time(when: datetime) -> bytes:
    """UTCTime until 2049, then GeneralizedTime (RFC 5280 section 4.1.2.5). Whole seconds, UTC."""
    when = utc(when)
    if when.year < 2050:
        return write(UTC_TIME, when.strftime("%y%m%d%H%M%SZ").encode())
    return write(GENERALIZED_TIME, when.strftime("%Y%m%d%H%M%SZ").encode())


def utc(when: datetime) -> datetime:
    """The same instant in UTC; `Misused` for a time without a zone."""
    if when.utcoffset() is None:
        raise Misused(Reason.WRONG_TYPE, "time without a time zone")
    return when.astimezone(UTC)


def tbs(
    *,
    serial: int,
    algorithm: bytes,
    issuer: bytes,
    not_before: datetime,
    not_after: datetime,
    subject: bytes,
    spki: bytes,
    extensions: Iterable[bytes],
) -> bytes:
    """A TBSCertificate, DER (RFC 5280 section 4.1.2)."""
    return write(
        SEQUENCE,
        _VERSION_3,
        write_integer(serial),
        algorithm,
        issuer,
        write(SEQUENCE, time(not_before), time(not_after)),
        subject,
        spki,
        write(_SEQUENCE_OF_EXTENSIONS, write(SEQUENCE, *extensions)),
    )


def certificate(signed: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """A Certificate, DER, of a TBSCertificate and the signature over it."""
    return write(SEQUENCE, signed, algorithm, write(BIT_STRING, b"\0", signature))


def without(signed: bytes, oid: str) -> bytes:
    """A TBSCertificate without one of its extensions, or as it is when it has none of that OID."""
    reader = Der(signed, "TBSCertificate")
    body = reader.sequence("body")
    reader.done()
    fields = [body.raw(field) for field in ("version", "serial", "algorithm", "issuer", "validity", "subject", "spki")]
    block = Der(body.element(_SEQUENCE_OF_EXTENSIONS, "extensions"), "extensions").sequence("list")
    body.done()
    kept: list[bytes] = []
    while block.peek() is not None:
        one = block.raw("extension")
        if Der(one, "extension").sequence("extension").element(OID, "OID") != write_oid(oid)[2:]:
            kept.append(one)
    return write(SEQUENCE, *fields, write(_SEQUENCE_OF_EXTENSIONS, write(SEQUENCE, *kept)))
