# SPDX-License-Identifier: Apache-2.0
"""TLS of a Keep: 1.3 only, its own certificate, contexts made from an `Identity`.

The three suites are the ones that upstream offers, and with OpenSSL's defaults the only ones:
AES-256-GCM-SHA384, AES-128-GCM-SHA256, CHACHA20-POLY1305-SHA256.
"""

from __future__ import annotations

import os
import ssl
from datetime import datetime, timedelta

from enarx.errors import Misused, Reason
from enarx.runtime.workload import Identity

UNATTESTED = "self-signed, not attested"
HANDSHAKE_SECONDS = 10.0
LIFETIME = timedelta(days=365)


def server_context(identity: Identity, *, client_roots: bytes = b"", require: bool = False) -> ssl.SSLContext:
    """A context that answers as the Keep; with `client_roots` it asks for a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _common(context, identity)
    context.num_tickets = 0
    if client_roots:
        context.load_verify_locations(cadata=client_roots.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED if require else ssl.CERT_OPTIONAL
    return context


def client_context(identity: Identity, roots: bytes | None = None, *, keep: bool = False) -> ssl.SSLContext:
    """A context that connects as the Keep; trusts `roots`, or else WebPKI and the identity's roots.

    keep  the other end is a Keep: it is known by its workload instead of a host name, and only the
          Steward's roots vouch for that
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _common(context, identity)
    if keep:
        context.check_hostname = False
    elif roots is None:
        context.load_default_certs()
    for trusted in (identity.roots_pem if roots is None else roots,):
        if trusted:
            context.load_verify_locations(cadata=trusted.decode("ascii"))
    return context


def _common(context: ssl.SSLContext, identity: Identity) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    # The ssl module reads keys from files alone: anonymous ones, which no one else can open.
    chain, key = _anonymous(identity.chain_pem), _anonymous(identity.key_pem)
    try:
        context.load_cert_chain(f"/proc/self/fd/{chain}", f"/proc/self/fd/{key}")
    except ssl.SSLError as error:
        raise Misused(Reason.KEY_INVALID, f"the Keep's certificate and key: {error.reason}") from None
    finally:
        os.close(chain)
        os.close(key)


def _anonymous(content: bytes) -> int:
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    os.write(descriptor, content)
    return descriptor


def self_signed(*, when: datetime) -> Identity:
    """An identity that nobody vouches for: P-256, CN=localhost, one year, and it says so."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, UNATTESTED),
            x509.NameAttribute(NameOID.COMMON_NAME, "localhost"),
        ]
    )
    usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(when - timedelta(minutes=5))
        .not_valid_after(when + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    return Identity(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()),
        certificate.public_bytes(serialization.Encoding.PEM),
    )
