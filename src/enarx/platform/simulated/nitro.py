# SPDX-License-Identifier: Apache-2.0
"""A simulated Nitro enclave or NitroTPM: documents in AWS's exact format under a root of its own.

The certificates have the names, the extensions and the lifetimes of AWS's, below a root that
says `simulated`; production anchors never accept one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec import cbor
from enarx.codec.x509 import Certificate
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated.cose import sign1
from enarx.platform.simulated.pki import Authority, authority, crl, der, issued

MODULE = {
    Kind.NITRO: "i-0123456789abcdef0-enc0123456789abcdef",
    Kind.NITROTPM: "i-0123456789abcdef0-tpm0000000000000000",
}
REGISTERS = {Kind.NITRO: 16, Kind.NITROTPM: 24}
DAY = timedelta(days=1)


class NitroHypervisor(msgspec.Struct, frozen=True):
    """The issuers of one instance, and the key that signs for its enclave."""

    kind: Kind
    root: Authority
    region: Authority
    zone: Authority
    instance: Authority
    key: ec.EllipticCurvePrivateKey
    certificate: bytes

    def anchors(self) -> Anchors:
        """The anchor set in which this root, and nothing else, is believed."""
        return Anchors(SIMULATED, {Vendor.AWS: (Certificate(der(self.root.certificate)),)})

    def cabundle(self) -> list[bytes]:
        """The issuers, root first."""
        return [der(one.certificate) for one in (self.root, self.region, self.zone, self.instance)]

    def document(self, when: datetime, **fields: Any) -> bytes:
        """An attestation document made at `when`.

        `fields` replace fields of the payload by their names; None for a required one leaves
        it out. `registers` is the map under `pcrs` or `nitrotpm_pcrs`; `protected` and
        `unprotected` are the COSE headers.
        """
        headers = {name: fields.pop(name) for name in ("protected", "unprotected", "tagged") if name in fields}
        return sign1(cbor.encode(self.payload(when, **fields)), self.key, **{"tagged": False, **headers})

    def payload(self, when: datetime, **fields: Any) -> dict[str, Any]:
        """The document's map before it is signed."""
        name = "pcrs" if self.kind is Kind.NITRO else "nitrotpm_pcrs"
        registers: Mapping[int, bytes] = fields.pop("registers", None) or default_registers(self.kind)
        table = {
            "module_id": MODULE[self.kind],
            "digest": "SHA384",
            "timestamp": int(when.timestamp() * 1000),
            name: dict(registers),
            "certificate": self.certificate,
            "cabundle": self.cabundle(),
            "public_key": None,
            "user_data": None,
            "nonce": None,
            **fields,
        }
        optional = {"public_key", "user_data", "nonce"}
        return {key: value for key, value in table.items() if value is not None or key in optional}

    def evidence(self, when: datetime, **fields: Any) -> Evidence:
        """The document as evidence."""
        return Evidence(self.kind, self.document(when, **fields))

    def crls(self, when: datetime, *, revoked: tuple[int, ...] = ()) -> tuple[bytes, ...]:
        """A current CRL of each issuer."""
        issuers = (self.root, self.region, self.zone, self.instance)
        return tuple(crl(one, when, when + DAY, revoked=revoked) for one in issuers)


def default_registers(kind: Kind) -> dict[int, bytes]:
    """Registers 0 to 4 hold something, the others zero."""
    return {index: bytes([index + 1]) * 48 if index < 5 else bytes(48) for index in range(REGISTERS[kind])}


def hypervisor(when: datetime, kind: Kind = Kind.NITRO) -> NitroHypervisor:
    """A hypervisor with certificates that are valid around `when`; fresh keys each time."""
    curve = ec.SECP384R1()
    root = authority("simulated aws.nitro-enclaves", curve, when - 365 * DAY, when + 3650 * DAY)
    region = authority("simulated region", curve, when - 4 * DAY, when + 16 * DAY, by=root, path_length=2)
    zone = authority("simulated zone", curve, when - DAY, when + 5 * DAY, by=region, path_length=1)
    instance = authority("i-0123456789abcdef0", curve, when - DAY / 24, when + DAY, by=zone, path_length=0)
    key = ec.generate_private_key(curve)
    leaf = issued(MODULE[kind], key.public_key(), instance, when - DAY / 1440, when + DAY / 8)
    return NitroHypervisor(kind, root, region, zone, instance, key, der(leaf))
