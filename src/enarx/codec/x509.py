# SPDX-License-Identifier: Apache-2.0
"""Foreign certificates and CRLs (RFC 5280), read by `cryptography`, refused in our family.

Only this module loads them. A `Certificate` is parsed, not believed: `enarx.evidence.chain`
authenticates it.
"""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.utils import CryptographyDeprecationWarning

from enarx.codec import der
from enarx.codec.crl import Crl
from enarx.codec.foreign import TROUBLE, guarded
from enarx.codec.lazy import lazy
from enarx.codec.signature import PublicKey, plain, verified
from enarx.errors import Malformed, Reason, Unauthentic

__all__ = ["MAX_CHAIN", "Certificate", "Crl", "Extension", "PublicKey", "from_pem", "verified"]


E = TypeVar("E", bound=x509.ExtensionType)

# AMD's VCEK and VLEK have serial number 0, which RFC 5280 forbids; `cryptography` accepts it
# with this warning. When it stops, our own DER reader takes over (docs/decisions).
warnings.filterwarnings("ignore", message=".*serial number.*", category=CryptographyDeprecationWarning)
warnings.filterwarnings("ignore", message="Attribute's length must be", category=UserWarning)


MAX_BYTES = 64 << 10
"""No certificate that we judge comes near."""
MAX_CHAIN = 10

_VERSION = 0xA0


class Extension:
    """One extension: whether critical, and the bytes inside its OCTET STRING."""

    __slots__ = ("critical", "value")

    def __init__(self, critical: bool, value: bytes) -> None:  # noqa: FBT001
        self.critical = critical
        self.value = value


class Certificate:
    """An X.509 certificate as received. Equal when its bytes are equal."""

    __slots__ = ("__dict__", "_x", "raw")

    def __init__(self, raw: bytes, what: str = "certificate") -> None:
        """Parse DER; `Malformed` if it is not exactly one certificate."""
        if len(raw) > MAX_BYTES:
            raise Malformed(Reason.TOO_LARGE, f"{what}: {len(raw)} bytes")
        try:
            self._x = x509.load_der_x509_certificate(raw)
        except TROUBLE as error:
            raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"<Certificate {self.name}>"

    @lazy
    def _parts(self) -> tuple[bytes, list[bytes]]:
        """The signed part, and its elements: serial number, algorithm, issuer, validity, subject."""
        signed = der.inner(self.raw, 1)[0]
        first, *more = der.inner(signed, 6)
        return signed, more if first[0] == _VERSION else [first, *more]

    @property
    def subject(self) -> bytes:
        """The subject Name, DER as received."""
        return self._parts[1][4]

    @property
    def issuer(self) -> bytes:
        """The issuer Name, DER as received."""
        return self._parts[1][2]

    @lazy
    def name(self) -> str:
        """The subject in RFC 4514 form, for people."""
        return guarded(lambda: self._x.subject.rfc4514_string(), "subject")

    def common_name(self) -> str:
        """The subject's single commonName, or ""."""
        found = guarded(lambda: self._x.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME), "subject")
        return str(found[0].value) if len(found) == 1 else ""

    @lazy
    def serial(self) -> int:
        """The serial number."""
        return guarded(lambda: self._x.serial_number, "serial number")

    @lazy
    def not_before(self) -> datetime:
        """Valid from this instant (UTC)."""
        return guarded(lambda: self._x.not_valid_before_utc, "validity")

    @lazy
    def not_after(self) -> datetime:
        """Valid up to and including this instant (UTC)."""
        return guarded(lambda: self._x.not_valid_after_utc, "validity")

    @lazy
    def public_key(self) -> PublicKey:
        """The subject's key: RSA of 2048 bits or more, or a NIST curve."""
        key = guarded(lambda: self._x.public_key(), "public key")
        if isinstance(key, ec.EllipticCurvePublicKey) or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048):
            return key
        raise Unauthentic(Reason.ALGORITHM, f"public key of {self.name}")

    @lazy
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, DER."""
        key = self.public_key
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @lazy
    def _extensions(self) -> dict[str, x509.Extension[Any]]:
        found = guarded(lambda: self._x.extensions, "extensions")
        return {e.oid.dotted_string: e for e in found}

    def extension(self, oid: str) -> Extension | None:
        """The extension with this dotted OID (duplicates are refused), or None."""
        e = self._extensions.get(oid)
        if e is None:
            return None
        known = not isinstance(e.value, x509.UnrecognizedExtension)
        return Extension(e.critical, e.value.public_bytes() if known else e.value.value)

    def extension_oids(self) -> frozenset[str]:
        """Which extensions there are."""
        return frozenset(self._extensions)

    @lazy
    def is_ca(self) -> bool:
        """BasicConstraints says CA:TRUE, and keyUsage, where there is one, has keyCertSign."""
        basic = self._value(x509.BasicConstraints)
        usage = self._value(x509.KeyUsage)
        return basic is not None and basic.ca and (usage is None or usage.key_cert_sign)

    @lazy
    def path_length(self) -> int | None:
        """BasicConstraints' pathLenConstraint."""
        basic = self._value(x509.BasicConstraints)
        return basic.path_length if basic else None

    def uris(self) -> tuple[str, ...]:
        """The URIs of the subjectAltName extension."""
        names = self._value(x509.SubjectAlternativeName)
        return tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else ()

    def key_usage(self) -> x509.KeyUsage | None:
        """The keyUsage extension."""
        return self._value(x509.KeyUsage)

    def _value(self, kind: type[E]) -> E | None:
        def find() -> E | None:
            try:
                return self._x.extensions.get_extension_for_class(kind).value
            except x509.ExtensionNotFound:
                return None

        return guarded(find, "extensions")

    def pem(self) -> str:
        """The same in PEM (RFC 7468)."""
        return self._x.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def tbs(self) -> bytes:
        """The bytes that the issuer signed."""
        return self._parts[0]

    def signed_by(self, key: PublicKey) -> bool:
        """Whether `key` made the signature over the bytes received."""
        oid = guarded(lambda: self._x.signature_algorithm_oid.dotted_string, "signature algorithm")
        return plain(self.raw, self._parts[1][1]) and verified(key, self._x.signature, self.tbs, oid)


def from_pem(text: bytes, what: str) -> tuple[Certificate, ...]:
    """The certificates of a PEM file in order, at most `MAX_CHAIN`; a trailing NUL is allowed.

    Text outside the armour is ignored, as RFC 7468 section 5.2 lets it be.
    """
    try:
        found = x509.load_pem_x509_certificates(text.rstrip(b"\0"))
    except TROUBLE as error:
        raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None
    if len(found) > MAX_CHAIN:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(found)} certificates, at most {MAX_CHAIN}")
    return tuple(Certificate(one.public_bytes(serialization.Encoding.DER), what) for one in found)


def of(certificate: x509.Certificate) -> Certificate:
    """A certificate that a TLS library has received."""
    return Certificate(certificate.public_bytes(serialization.Encoding.DER))
