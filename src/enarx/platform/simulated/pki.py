# SPDX-License-Identifier: Apache-2.0
"""Certificates and CRLs of test roots that are made for one run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Authority(msgspec.Struct, frozen=True):
    """A CA: its certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey


def usage(*names: str) -> x509.KeyUsage:
    """A KeyUsage with these bits."""
    return x509.KeyUsage(**{name: name in names for name in _USAGES})


def name_of(common_name: str) -> x509.Name:
    """A Name with a commonName only."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def der(certificate: x509.Certificate) -> bytes:
    """The certificate's bytes."""
    return certificate.public_bytes(Encoding.DER)


def digest_of(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    """The hash that goes with a key."""
    large = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size == 384
    return hashes.SHA384() if large else hashes.SHA256()


def authority(
    common_name: str,
    curve: ec.EllipticCurve,
    not_before: datetime,
    not_after: datetime,
    *,
    by: Authority | None = None,
    path_length: int | None = None,
) -> Authority:
    """A CA with a fresh key, self-signed or issued by another."""
    key = ec.generate_private_key(curve)
    issuer = by.certificate.subject if by else name_of(common_name)
    built = (
        _builder(name_of(common_name), issuer, key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage("key_cert_sign", "crl_sign"), critical=True)
    )
    signer = by.key if by else key
    return Authority(built.sign(signer, digest_of(signer)), key)


def issued(
    common_name: str,
    key: PublicKey,
    by: Authority,
    not_before: datetime,
    not_after: datetime,
    *,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] | None = None,
) -> x509.Certificate:
    """A leaf for `key`. `extensions` (with their criticality) replace the usual two."""
    usual = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage("digital_signature"), True),
    ]
    built = _builder(name_of(common_name), by.certificate.subject, key, not_before, not_after)
    for extension, critical in usual if extensions is None else extensions:
        built = built.add_extension(extension, critical=critical)
    return built.sign(by.key, digest_of(by.key))


def crl(
    by: Authority, this_update: datetime, next_update: datetime, *, revoked: tuple[int, ...] = (), number: int = 1
) -> bytes:
    """A CRL of `by`, DER, that lists these serial numbers."""
    built = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(this_update).build()
        built = built.add_revoked_certificate(entry)
    return built.sign(by.key, digest_of(by.key)).public_bytes(Encoding.DER)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
