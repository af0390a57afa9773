# SPDX-License-Identifier: Apache-2.0
"""The maker of a software TPM: certifies its endorsement key, as a factory does for a chip.

The maker is the host, and the certificate says so: whoever believes this root believes that host. It
ties an attestation key to one TPM of the host's; what that TPM quotes is still the host's word.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from enarx.evidence.tpm_chain import EK_CERTIFICATE
from enarx.evidence.tpm_key import parse
from enarx.platform.tpm import command, nv
from enarx.platform.tpm.device import Transport

ORGANIZATION = "Enarx software TPMs"
LIFETIME = timedelta(days=30)
"""Of an endorsement key's certificate: longer than any machine that the TPM is made for."""
_BEFORE = timedelta(hours=1)
"""Clocks of the host and of who judges differ."""
_MANUFACTURER, _MODEL, _VERSION = (x509.ObjectIdentifier(f"2.23.133.2.{number}") for number in (1, 2, 3))
_USAGE = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


class Maker(msgspec.Struct, frozen=True):
    """A root and its key."""

    root: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def made(host: str, *, when: datetime, years: int = 10) -> Maker:
    """A new maker with a key of its own; `host` tells one from another."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{ORGANIZATION} of {host}"[:64]),
        ]
    )
    root = (
        _builder(name, name, key.public_key(), when, when + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Maker(root, key)


def certified(maker: Maker, ek_public: bytes, *, when: datetime) -> bytes:
    """The certificate of an endorsement key (its TPMT_PUBLIC), DER (TCG EK Credential Profile 2.5, section 3)."""
    names = [(_MANUFACTURER, "id:49424D00"), (_MODEL, "swtpm"), (_VERSION, "id:00020000")]
    tpm = x509.DirectoryName(x509.Name([x509.NameAttribute(oid, text) for oid, text in names]))
    key = parse(ek_public).key
    use = "key_agreement" if isinstance(key, ec.EllipticCurvePublicKey) else "key_encipherment"
    made = (
        _builder(x509.Name([]), maker.root.subject, key, when, when + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(use), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(EK_CERTIFICATE)]), critical=False)
        .add_extension(x509.SubjectAlternativeName([tpm]), critical=True)
        .sign(maker.key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def manufacture(send: Transport, maker: Maker, *, when: datetime) -> None:
    """Give a fresh, started TPM its certificate, where its users look for it."""
    ek = command.created(send(command.create_ek()))
    command.body(send(command.flush(ek.handle)), "FlushContext")
    certificate = certified(maker, ek.public, when=when)
    index = nv.EK_P256_CERTIFICATE
    command.body(send(nv.define(index, len(certificate))), "NV_DefineSpace")
    for at in range(0, len(certificate), nv.CHUNK):
        command.body(send(nv.write(index, certificate[at : at + nv.CHUNK], at)), "NV_Write")
    command.body(send(nv.lock(index)), "NV_WriteLock")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: object, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)  # type: ignore[arg-type] # a parsed key is RSA or ECC
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _BEFORE)
        .not_valid_after(end)
    )


def _usage(name: str, *more: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{one: one in {name, *more} for one in _USAGE})
