# SPDX-License-Identifier: Apache-2.0
"""Making a CA: a root, an intermediate below it, and the service's own TLS certificate."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.x509 import Certificate
from enarx.errors import Misused, Reason
from enarx.identity import profile
from enarx.identity.authority import BACKDATED, Authority
from enarx.identity.signer import KeySigner, Signer

YEAR = timedelta(days=365)
SERVICE_LIFETIME = timedelta(days=30)


class MadeCa(msgspec.Struct, frozen=True):
    """A new CA: its path (own certificate first) and its key."""

    path: tuple[Certificate, ...]
    key: ec.EllipticCurvePrivateKey

    def certificates_pem(self) -> bytes:
        """The path, PEM."""
        return pem(self.path)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        """The key, PKCS#8 PEM; encrypted when there is a passphrase."""
        return key_pem(self.key, passphrase)


def make_root(
    common_name: str,
    *,
    trust_domain: str,
    when: datetime,
    serial: int,
    lifetime: timedelta = 10 * YEAR,
    path_length: int = 1,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> MadeCa:
    """A self-signed root for one trust domain, which its critical name constraint fixes."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    raw = _ca(
        KeySigner(key),
        _subject(common_name),
        subject=_subject(common_name),
        spki=KeySigner(key).spki,
        path_length=path_length,
        trust_domain=trust_domain,
        not_before=when - BACKDATED,
        not_after=when + lifetime,
        serial=serial,
    )
    return MadeCa((Certificate(raw),), key)


def make_intermediate(
    issuer: tuple[Certificate, ...],
    signer: Signer,
    common_name: str,
    *,
    trust_domain: str,
    when: datetime,
    serial: int,
    lifetime: timedelta = YEAR,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> MadeCa:
    """An issuing CA below `issuer`, whose key stays offline afterwards."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    raw = _ca(
        signer,
        issuer[0].subject,
        subject=_subject(common_name),
        spki=KeySigner(key).spki,
        path_length=0,
        trust_domain=trust_domain,
        not_before=when - BACKDATED,
        not_after=min(when + lifetime, issuer[0].not_after),
        serial=serial,
    )
    return MadeCa((Certificate(raw), *issuer), key)


def service_certificate(
    authority: Authority,
    names: Iterable[str],
    *,
    when: datetime,
    serial: int,
    role: str = "steward",
    key: ec.EllipticCurvePrivateKey | None = None,
) -> tuple[bytes, bytes]:
    """The TLS certificate of a service, issued by `authority`: PEM of its path, PEM of its key.

    Its URI is `spiffe://TRUST-DOMAIN/ROLE`, which no Keep's certificate can have. `names` are
    DNS names and IP addresses.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    dns, addresses = _sorted(names)
    uri = f"spiffe://{authority.trust_domain}/{role}"
    raw = authority.draft(
        serial=serial,
        subject=profile.name((profile.ORGANIZATION, "Enarx"), (profile.COMMON_NAME, role)),
        spki=KeySigner(key).spki,
        not_before=max(when - BACKDATED, authority.certificate.not_before),
        not_after=min(when + SERVICE_LIFETIME, authority.certificate.not_after),
        uri=uri,
        dns=dns,
        addresses=addresses,
    ).certificate()
    return pem((Certificate(raw), *authority.path)), key_pem(key)


def _sorted(names: Iterable[str]) -> tuple[list[str], list[bytes]]:
    dns: list[str] = []
    addresses: list[bytes] = []
    for one in names:
        try:
            addresses.append(ipaddress.ip_address(one).packed)
        except ValueError:
            if not one.isascii() or not one:
                raise Misused(Reason.SYNTAX, f"host name {one!r}") from None
            dns.append(one)
    return dns, addresses


def _subject(common_name: str) -> bytes:
    return profile.name((profile.ORGANIZATION, "Enarx"), (profile.COMMON_NAME, common_name))


def _ca(
    signer: Signer,
    issuer: bytes,
    *,
    subject: bytes,
    spki: bytes,
    path_length: int,
    trust_domain: str,
    not_before: datetime,
    not_after: datetime,
    serial: int,
) -> bytes:
    body = profile.tbs(
        serial=serial,
        algorithm=signer.algorithm,
        issuer=issuer,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        spki=spki,
        extensions=(
            profile.ca_basic(path_length),
            profile.CA_USAGE,
            profile.uri_constraint(trust_domain),
            profile.subject_key(profile.key_identifier(spki)),
            profile.authority_key(profile.key_identifier(signer.spki)),
        ),
    )
    return profile.certificate(body, signer.algorithm, signer.sign(body))


def pem(path: Iterable[Certificate]) -> bytes:
    """Certificates, PEM, in order."""
    import ssl

    return "".join(ssl.DER_cert_to_PEM_cert(one.raw) for one in path).encode()


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    """A key, PKCS#8 PEM."""
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
