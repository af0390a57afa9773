# SPDX-License-Identifier: Apache-2.0
"""A simulated SEV-SNP platform: reports in AMD's exact format under a root of its own.

`SimulatedAmd` plays the vendor, `SimulatedSnp` one processor with one guest. Every field of a
report can be set. Only serial numbers differ from AMD's form: AMD's leaves have 0.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from enarx.codec import der
from enarx.codec.x509 import Certificate
from enarx.evidence import amd_certificate
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.snp_report import SIGNED, SigningKey
from enarx.evidence.snp_tcb import CHIP_ID_SIZE, Product
from enarx.platform.simulated import pki
from enarx.platform.simulated.snp_fields import CPUID, TCB, Fields, encode

ORGANISATION = "Enarx simulated TEE, not AMD"
YEARS = timedelta(days=3650)
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)


class SimulatedAmd(msgspec.Struct, frozen=True):
    """A root made for one run, and the intermediates under it, for one product.

    The keys are of RSA-2048 where AMD's are of 4096: making them takes a tenth of a second.
    """

    product: Product
    ark: pki.Authority
    ask: pki.Authority
    asvk: pki.Authority

    @classmethod
    def made(cls, when: datetime, product: Product = Product.MILAN) -> Self:
        """A vendor whose certificates are valid from an hour before `when`, for ten years."""
        start = when - timedelta(hours=1)
        ark = _authority(f"ARK-{product}", start, None)
        ask = _authority(f"SEV-{product}", start, ark)
        asvk = _authority(f"SEV-VLEK-{product}", start, ark)
        return cls(product, ark, ask, asvk)

    @property
    def root(self) -> bytes:
        """The ARK certificate, DER."""
        return pki.der(self.ark.certificate)

    def anchors(self) -> Anchors:
        """The anchor set in which this root, and nothing else, is believed."""
        return Anchors(SIMULATED, {Vendor.AMD: (Certificate(self.root),)})

    def crl(self, this_update: datetime, next_update: datetime, *, revoked: tuple[int, ...] = ()) -> bytes:
        """The root's CRL, DER, that lists these serial numbers."""
        built = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.ark.certificate.subject)
            .last_update(this_update)
            .next_update(next_update)
            .add_extension(x509.CRLNumber(int(this_update.timestamp())), critical=False)
        )
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(this_update).build()
            built = built.add_revoked_certificate(entry)
        signed = built.sign(_rsa(self.ark.key), hashes.SHA384(), rsa_padding=_PSS)
        return signed.public_bytes(serialization.Encoding.DER)

    def leaf(
        self,
        key: ec.EllipticCurvePublicKey,
        when: datetime,
        *,
        signing_key: SigningKey = SigningKey.VCEK,
        **values: bytes,
    ) -> bytes:
        """A VCEK or VLEK certificate, DER, valid for a year.

        `values` are those of `leaf_values`; extensions named there with b"" are left out.
        """
        by = self.ask if signing_key is SigningKey.VCEK else self.asvk
        built = _builder(f"SEV-{signing_key}", by.certificate.subject, key, when - timedelta(hours=1), YEARS / 10)
        for oid, value in values.items():
            if value:
                extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
                built = built.add_extension(extension, critical=False)
        return pki.der(built.sign(_rsa(by.key), hashes.SHA384(), rsa_padding=_PSS))


def leaf_values(
    product: Product, tcb: bytes, *, hwid: bytes | None = None, csp_id: str | None = None
) -> dict[str, bytes]:
    """The extensions of a VCEK (`hwid`) or VLEK (`csp_id`), by dotted OID."""
    values = {
        f"{amd_certificate.ARC}.1": der.write_integer(int(product is Product.TURIN)),
        amd_certificate.PRODUCT_NAME: der.write(der.IA5_STRING, product.encode()),
    }
    for oid, version in zip(amd_certificate.TCB_BYTES[product], tcb, strict=True):
        values[oid] = der.write_integer(version)
    if hwid is not None:
        values[amd_certificate.HWID] = hwid
    if csp_id is not None:
        values[amd_certificate.CSP_ID] = der.write(der.IA5_STRING, csp_id.encode())
    return values


class SimulatedSnp:
    """One processor with one guest: signs reports about what was launched.

    fields  what every report of this guest says unless asked otherwise
    """

    kind = Kind.SNP

    def __init__(
        self,
        root: bytes,
        certificates: tuple[bytes, ...],
        key: ec.EllipticCurvePrivateKey,
        fields: Fields,
    ) -> None:
        self.root = root
        self.certificates = certificates
        self.key = key
        self.fields = fields

    @classmethod
    def made(
        cls,
        when: datetime,
        *,
        amd: SimulatedAmd | None = None,
        signing_key: SigningKey = SigningKey.VCEK,
        **fields: Any,
    ) -> Self:
        """A processor under `amd` (a Milan under a root of its own, if not given) with a fresh key.

        `fields` are those of `Fields`; the certificate is for their `reported_tcb` and `chip_id`.
        """
        amd = amd or SimulatedAmd.made(when)
        key = ec.generate_private_key(ec.SECP384R1())
        said = _fields(amd.product, signing_key, fields)
        vcek = signing_key is SigningKey.VCEK
        chip = said.chip_id if any(said.chip_id) else secrets.token_bytes(64)
        values = leaf_values(
            amd.product,
            said.reported_tcb,
            hwid=chip[: CHIP_ID_SIZE[amd.product]] if vcek else None,
            csp_id=None if vcek else "CN=cloud.simulated.invalid",
        )
        leaf = amd.leaf(key.public_key(), when, signing_key=signing_key, **values)
        above = amd.ask if vcek else amd.asvk
        return cls(amd.root, (leaf, pki.der(above.certificate), amd.root), key, said)

    def anchors(self) -> Anchors:
        """The anchor set in which this root, and nothing else, is believed."""
        return Anchors(SIMULATED, {Vendor.AMD: (Certificate(self.root),)})

    def endorsements(self) -> Endorsements:
        """What a host hands out: leaf, intermediate and root."""
        return Endorsements(certificates=self.certificates)

    def report(self, report_data: bytes, host_data: bytes | None = None, **fields: Any) -> bytes:
        """A signed report of 1184 bytes; `fields` replace those of the guest."""
        if host_data is not None:
            fields["host_data"] = host_data
        said = msgspec.structs.replace(self.fields, report_data=report_data, **fields)
        return self.signed(encode(said))

    def signed(self, report: bytes) -> bytes:
        """A report with its signature made anew: for reports that were changed on purpose."""
        body = report[:SIGNED]
        r, s = decode_dss_signature(self.key.sign(body, ec.ECDSA(hashes.SHA384())))
        return body + r.to_bytes(72, "little") + s.to_bytes(72, "little") + bytes(368)

    def evidence(self, bound: bytes) -> tuple[Evidence, Endorsements]:
        """A report over the bytes that the guest gives, with the host's certificates."""
        return Evidence(Kind.SNP, self.report(bound)), self.endorsements()

    def launched(self, **fields: Any) -> SimulatedSnp:
        """The same processor with another guest."""
        return SimulatedSnp(self.root, self.certificates, self.key, msgspec.structs.replace(self.fields, **fields))

    def sealing_key(self) -> bytes:
        """As MSG_KEY_REQ derives one from the chip's root key and the measurement (AMD 56860 section 7.2)."""
        scalar = self.key.private_numbers().private_value.to_bytes(48, "big")
        info = b"enarx simulated derived key\0" + self.fields.measurement
        return HKDF(hashes.SHA256(), 32, None, info).derive(scalar)

    def to_files(self, folder: Path) -> None:
        """Write `chip.key` (PKCS #8, readable by the owner only), `chip.pem` and `chip.json` to an existing folder."""
        key = folder / "chip.key"
        key.touch(mode=0o600)
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        chain = (x509.load_der_x509_certificate(one) for one in self.certificates)
        (folder / "chip.pem").write_bytes(b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain))
        (folder / "chip.json").write_bytes(msgspec.json.encode(self.fields))

    @classmethod
    def from_files(cls, folder: Path) -> Self:
        """The processor that `to_files` wrote."""
        key = serialization.load_pem_private_key((folder / "chip.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            msg = "chip.key is not the key of a simulated processor"
            raise TypeError(msg)
        chain = x509.load_pem_x509_certificates((folder / "chip.pem").read_bytes())
        certificates = tuple(pki.der(one) for one in chain)
        fields = msgspec.json.decode((folder / "chip.json").read_bytes(), type=Fields)
        return cls(certificates[-1], certificates, key, fields)


def _fields(product: Product, signing_key: SigningKey, given: dict[str, Any]) -> Fields:
    """The guest's fields: the product's usual ones, replaced by those given."""
    tcb = given.get("reported_tcb", TCB[product])
    usual: dict[str, Any] = {
        "cpuid": CPUID[product],
        "signing_key": int(signing_key is SigningKey.VLEK),
        "chip_id": secrets.token_bytes(CHIP_ID_SIZE[product]).ljust(64, b"\0")
        if signing_key is SigningKey.VCEK
        else bytes(64),
        "report_id": secrets.token_bytes(32),
    }
    usual |= dict.fromkeys(("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"), tcb)
    return msgspec.structs.replace(Fields(), **{**usual, **given})


def _authority(common_name: str, start: datetime, by: pki.Authority | None) -> pki.Authority:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer = by.certificate.subject if by else _name(common_name)
    built = _builder(common_name, issuer, key.public_key(), start, YEARS)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None if by is None else 0), critical=True)
    built = built.add_extension(pki.usage("key_cert_sign", "crl_sign"), critical=True)
    return pki.Authority(built.sign(_rsa(by.key) if by else key, hashes.SHA384(), rsa_padding=_PSS), key)


def _builder(
    common_name: str, issuer: x509.Name, key: pki.PublicKey, start: datetime, lasting: timedelta
) -> x509.CertificateBuilder:
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
            x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "Engineering"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
        ]
    )


def _rsa(key: pki.PrivateKey) -> rsa.RSAPrivateKey:
    if not isinstance(key, rsa.RSAPrivateKey):
        msg = "AMD's issuers have RSA keys"
        raise TypeError(msg)
    return key
