# SPDX-License-Identifier: Apache-2.0
"""A simulated Intel: a root of its own, the CAs and the signer below it, PCK certificates and CRLs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enarx.codec import der
from enarx.codec.x509 import Certificate
from enarx.evidence import intel_pck, intel_pem
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.intel_pck import SGX_TYPES, Platform
from enarx.platform.simulated import pki

ORGANISATION = "Enarx simulated TEE, not Intel"
YEARS = timedelta(days=3650)
_ARC = intel_pck.EXTENSION


class SimulatedIntel(msgspec.Struct, frozen=True):
    """A root made for one run, the PCK CA below it and the certificate that signs collateral."""

    root: pki.Authority
    ca: pki.Authority
    signer: pki.Authority

    @classmethod
    def made(cls, when: datetime, *, ca: str = "Platform") -> Self:
        """A vendor whose certificates are valid from an hour before `when`, for ten years; `ca` may be "Processor"."""
        root = _authority("Intel SGX Root CA", when, None)
        return cls(
            root,
            _authority(f"Intel SGX PCK {ca} CA", when, root),
            _authority("Intel SGX TCB Signing", when, root, ca=False),
        )

    def anchors(self) -> Anchors:
        """The anchor set in which this root, and nothing else, is believed."""
        return Anchors(SIMULATED, {Vendor.INTEL: (Certificate(pki.der(self.root.certificate)),)})

    def pck(self, key: ec.EllipticCurvePublicKey, platform: Platform, when: datetime) -> x509.Certificate:
        """A PCK certificate for a platform's key, valid for seven years."""
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(_ARC), extension_of(platform))
        built = _builder("Intel SGX PCK Certificate", self.ca.certificate.subject, key, when, YEARS * 0.7)
        built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        built = built.add_extension(pki.usage("digital_signature", "content_commitment"), critical=True)
        return built.add_extension(extension, critical=False).sign(self.ca.key, hashes.SHA256())

    def root_crl(self, when: datetime, *, revoked: tuple[int, ...] = ()) -> bytes:
        """The root's CRL, DER, of an hour before `when`, for a year."""
        return pki.crl(self.root, when - timedelta(hours=1), when + timedelta(days=365), revoked=revoked)

    def pck_crl(self, when: datetime, *, revoked: tuple[int, ...] = ()) -> bytes:
        """The PCK CA's CRL, DER, of an hour before `when`, for thirty days."""
        return pki.crl(self.ca, when - timedelta(hours=1), when + timedelta(days=30), revoked=revoked)

    def chain(self, *certificates: x509.Certificate) -> bytes:
        """These certificates and the root, PEM."""
        return b"".join(intel_pem.armour(pki.der(one)) for one in (*certificates, self.root.certificate))


def signed(key: pki.PrivateKey, message: bytes) -> bytes:
    """An ECDSA P-256 signature as Intel writes it: r ‖ s, 64 bytes."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = "Intel's keys are of P-256"
        raise TypeError(msg)
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def coordinates(key: pki.PrivateKey) -> bytes:
    """The public point of a P-256 key, x ‖ y."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        msg = "Intel's keys are of P-256"
        raise TypeError(msg)
    point = key.public_key().public_numbers()
    return point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")


def extension_of(platform: Platform) -> bytes:
    """The SGX extension of a PCK certificate, DER."""
    tcb = [
        *(_entry(f".2.{n}", der.write_integer(svn)) for n, svn in enumerate(platform.components, 1)),
        _entry(".2.17", der.write_integer(platform.pcesvn)),
        _entry(".2.18", der.write(der.OCTET_STRING, platform.cpusvn)),
    ]
    entries = [
        _entry(".1", der.write(der.OCTET_STRING, platform.ppid)),
        _entry(".2", der.write(der.SEQUENCE, *tcb)),
        _entry(".3", der.write(der.OCTET_STRING, platform.pceid)),
        _entry(".4", der.write(der.OCTET_STRING, platform.fmspc)),
        _entry(".5", der.write(der.ENUMERATED, bytes((SGX_TYPES.index(platform.sgx_type),)))),
    ]
    if platform.piid is not None:
        said = (platform.dynamic_platform, platform.cached_keys, platform.smt)
        flags = [_entry(f".7.{n}", der.write(der.BOOLEAN, b"\xff" if one else b"\0")) for n, one in enumerate(said, 1)]
        entries += [
            _entry(".6", der.write(der.OCTET_STRING, platform.piid)),
            _entry(".7", der.write(der.SEQUENCE, *flags)),
        ]
    return der.write(der.SEQUENCE, *entries)


def _entry(below: str, value: bytes) -> bytes:
    return der.write(der.SEQUENCE, der.write_oid(_ARC + below), value)


def _authority(common_name: str, when: datetime, by: pki.Authority | None, *, ca: bool = True) -> pki.Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = by.certificate.subject if by else _name(common_name)
    used = ("key_cert_sign", "crl_sign") if ca else ("digital_signature", "content_commitment")
    path_length = (1 if by is None else 0) if ca else None
    built = _builder(common_name, issuer, key.public_key(), when, YEARS)
    built = built.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    built = built.add_extension(pki.usage(*used), critical=True)
    return pki.Authority(built.sign(by.key if by else key, hashes.SHA256()), key)


def _builder(
    common_name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, when: datetime, lasting: timedelta
) -> x509.CertificateBuilder:
    start = when - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + lasting)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, ORGANISATION),
        ]
    )
