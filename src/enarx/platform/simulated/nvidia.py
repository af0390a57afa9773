# SPDX-License-Identifier: Apache-2.0
"""A simulated NVIDIA GPU or switch: SPDM reports, manifests and OCSP answers in NVIDIA's exact formats.

The certificates have the shape of NVIDIA's: root, product, provisioner, boot ROM, firmware.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from enarx.codec import der
from enarx.codec.x509 import Certificate
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.nvidia_identity import COMPOSITE_DEVICE_ID, DEVICE_INFO, DICE_TCB_INFO, SHA_384
from enarx.platform.simulated import pki
from enarx.platform.simulated.nvidia_rim import manifest

CURVE = ec.SECP384R1()
FOREVER = timedelta(days=365 * 300)
DAY = timedelta(days=1)
DRIVER, VBIOS = "550.90.07", "96.00.9F.00.01"
FWID = b"\xf1" * 48


class SimulatedNvidia(msgspec.Struct, frozen=True):
    """The vendor's two roots, and one device under the first."""

    kind: Kind
    product: str
    root: pki.Authority
    chain: tuple[pki.Authority, ...]
    key: ec.EllipticCurvePrivateKey
    leaf: x509.Certificate
    rim_root: pki.Authority
    rim_signer: pki.Authority

    @classmethod
    def made(
        cls, when: datetime, kind: Kind = Kind.NVIDIA_GPU, *, product: str = "", fwid: bytes = FWID, dice: bool = False
    ) -> Self:
        """A vendor and a device with fresh keys; `dice` writes the firmware id as Blackwell does."""
        product = product or ("LS_10" if kind is Kind.NVIDIA_SWITCH else "GH100")
        start = when - DAY
        root = pki.authority("simulated NVIDIA Device Identity CA", CURVE, start, when + FOREVER)
        chain = [root]
        for name in (f"simulated {product} Identity", f"simulated {product} Provisioner", f"{product} A01 GSP BROM"):
            chain.append(pki.authority(name, CURVE, start, when + FOREVER, by=chain[-1]))
        key = ec.generate_private_key(CURVE)
        leaf = pki.issued(
            f"{product} A01 GSP FMC LF",
            key.public_key(),
            chain[-1],
            start,
            when + FOREVER,
            extensions=leaf_extensions(product, key.public_key(), fwid, dice=dice),
        )
        rim_root = pki.authority("simulated NVIDIA CoRIM signing Root CA", CURVE, start, when + FOREVER)
        signer_key = ec.generate_private_key(CURVE)
        signer = pki.issued("simulated RIM L4 Signer", signer_key.public_key(), rim_root, start, when + 365 * DAY)
        return cls(kind, product, root, tuple(chain[1:]), key, leaf, rim_root, pki.Authority(signer, signer_key))

    def anchors(self) -> Anchors:
        """The anchor set in which these roots, and nothing else, are believed."""
        roots = {Vendor.NVIDIA: self.root, Vendor.NVIDIA_RIM: self.rim_root}
        return Anchors(SIMULATED, {v: (Certificate(pki.der(one.certificate)),) for v, one in roots.items()})

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The device's chain, leaf first, root last."""
        issuers = (*reversed(self.chain), self.root)
        return (pki.der(self.leaf), *(pki.der(one.certificate) for one in issuers))

    def report(self, nonce: bytes, **changes: Any) -> bytes:
        """A signed request and response over `nonce`; `changes` are those of `opaque` and `blocks`."""
        blocks = changes.pop("blocks", None) or default_blocks(64 if self.kind is Kind.NVIDIA_GPU else 31)
        record = b"".join(_block(at, value) for at, value in enumerate(blocks, start=1))
        opaque = opaque_data(self.kind, **changes)
        request = b"\x11\xe0\x01\xff" + nonce + b"\x00"
        response = (
            b"\x11\x60\x00\x00"
            + len(blocks).to_bytes(1, "little")
            + len(record).to_bytes(3, "little")
            + record
            + secrets.token_bytes(32)
            + len(opaque).to_bytes(2, "little")
            + opaque
        )
        return request + response + raw_signature(self.key, request + response)

    def evidence(self, nonce: bytes, **changes: Any) -> Evidence:
        """The report as evidence, with the chain beside it."""
        return Evidence(self.kind, self.report(nonce, **changes), {"certificates": b"".join(self.certificates)})

    def rim(self, version: str, values: Mapping[int, tuple[bytes, ...]], **changes: Any) -> bytes:
        """A signed manifest: RIM index (from 0) to the values that it allows."""
        issuers = (self.rim_signer, self.rim_root)
        product = changes.pop("product", self.product.replace("_", ""))
        return manifest(product, version, values, issuers, **changes)

    def rims(self, blocks: tuple[bytes, ...] | None = None) -> tuple[bytes, ...]:
        """Manifests that agree with `blocks`: odd indices are the driver's, even ones the VBIOS's."""
        values = blocks or default_blocks(64 if self.kind is Kind.NVIDIA_GPU else 31)
        driver = {at: (value,) for at, value in enumerate(values) if at % 2}
        vbios = {at: (value, bytes(48)) for at, value in enumerate(values) if at % 2 == 0}
        if self.kind is Kind.NVIDIA_SWITCH:
            return (self.rim(VBIOS, {**driver, **vbios}),)
        return self.rim(DRIVER, driver), self.rim(VBIOS, vbios)

    def ocsp(
        self,
        when: datetime,
        *,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        reason: x509.ReasonFlags | None = None,
        validity: timedelta = DAY,
    ) -> tuple[bytes, ...]:
        """Responses about every certificate that NVIDIA issued: of the device, and of the manifests' signer."""
        device = (*reversed(self.chain), self.root)
        pairs = [*itertools.pairwise(device), (self.rim_signer, self.rim_root)]
        return tuple(
            ocsp_response(one.certificate, by, when, status=status, reason=reason, validity=validity)
            for one, by in pairs
        )

    def endorsements(self, when: datetime, blocks: tuple[bytes, ...] | None = None) -> Endorsements:
        """Everything that vouches: certificates, agreeing manifests, good OCSP answers."""
        return Endorsements(certificates=self.certificates, rims=self.rims(blocks), ocsp=self.ocsp(when))


def leaf_extensions(
    product: str, key: ec.EllipticCurvePublicKey, fwid: bytes, *, dice: bool, serial: str = "48B02D0000000001"
) -> list[tuple[x509.ExtensionType, bool]]:
    """What a device certificate has: usage, who it is, and the id of its firmware."""
    info = x509.OtherName(
        x509.ObjectIdentifier(DEVICE_INFO), der.write(der.UTF8_STRING, f"NVIDIA:{product}:{serial}".encode())
    )
    digest = der.write(der.SEQUENCE, der.write_oid(SHA_384), der.write(der.OCTET_STRING, fwid))
    if dice:
        oid, value = DICE_TCB_INFO, der.write(der.SEQUENCE, der.write(0x80, b"NVIDIA"), der.write(0xA6, digest))
    else:
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        oid, value = COMPOSITE_DEVICE_ID, der.write(der.SEQUENCE, der.write_integer(1), spki, digest)
    return [
        (pki.usage("digital_signature"), True),
        (x509.SubjectAlternativeName([info]), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), False),
    ]


def default_blocks(count: int) -> tuple[bytes, ...]:
    """Measurements that differ from each other and from zero."""
    return tuple(bytes([at + 1]) * 48 for at in range(count))


def _block(index: int, value: bytes) -> bytes:
    size = len(value).to_bytes(2, "little")
    return bytes((index, 1)) + (len(value) + 3).to_bytes(2, "little") + b"\x01" + size + value


def opaque_data(kind: Kind, **changes: bytes | None) -> bytes:
    """The opaque data of a GPU or a switch: `f6=b"…"` replaces field 6, None leaves it out."""
    if kind is Kind.NVIDIA_SWITCH:
        fields = {"f6": VBIOS.encode(), "f22": bytes(8), "f25": b"\x01\x00"}
    else:
        fields = {
            "f6": bytes.fromhex("009f009601000000"),
            "f15": b"882\0",
            "f17": b"1010\0",
            "f18": b"0200\0",
            "f3": DRIVER.encode() + b"\0",
            "f11": b"\x55",
            "f20": FWID,
            "f21": b"\x55",
            "f36": b"\x00\x00",
        }
    wanted = {**fields, **changes}
    return b"".join(
        int(name[1:]).to_bytes(2, "little") + len(value).to_bytes(2, "little") + value
        for name, value in wanted.items()
        if value is not None
    )


def raw_signature(key: ec.EllipticCurvePrivateKey, signed: bytes) -> bytes:
    """ECDSA P-384 with SHA-384 as r ‖ s."""
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA384())))
    return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def ocsp_response(
    certificate: x509.Certificate,
    by: pki.Authority,
    when: datetime,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    reason: x509.ReasonFlags | None = None,
    validity: timedelta = DAY,
) -> bytes:
    """An OCSP response by the issuer itself, from an hour before `when`."""
    built = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=by.certificate,
        algorithm=hashes.SHA384(),
        cert_status=status,
        this_update=when - DAY / 24,
        next_update=when - DAY / 24 + validity,
        revocation_time=when - DAY if status is ocsp.OCSPCertStatus.REVOKED else None,
        revocation_reason=reason,
    )
    response = built.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate).sign(by.key, hashes.SHA384())
    return response.public_bytes(Encoding.DER)
