# SPDX-License-Identifier: Apache-2.0
"""A simulated TPM 2.0: quotes in the exact format, by a key that a root of this run certifies.

Nothing here is a TPM: the key lies in memory and signs what it is told to.
"""

from __future__ import annotations

import hashlib
import json
import struct
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enarx.codec.x509 import Certificate
from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.endorsement import NOTHING, Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.event_log import ALGORITHMS
from enarx.evidence.kind import Kind
from enarx.evidence.tpm_attest import TPM_GENERATED_VALUE, TPM_ST_ATTEST_QUOTE
from enarx.evidence.tpm_chain import AK_CERTIFICATE
from enarx.evidence.tpm_key import ALG_NULL, ATTESTATION, ECDSA, RSASSA
from enarx.platform.simulated import boot_log, pki
from enarx.platform.simulated.pki import Authority, authority, der

DAY = timedelta(days=1)
_NUMBERS = {name: number for number, name in ALGORITHMS.items()}
_CURVE_P256 = 3


class SimulatedTpm(msgspec.Struct, frozen=True, kw_only=True):
    """A TPM with one attestation key and the registers of one boot.

    vendor       under whose name the root is believed
    attributes   TPMA_OBJECT of the key
    log, pcrs    the boot; `pcrs` bank to register to value
    """

    vendor: Vendor
    root: Authority
    issuer: Authority
    key: pki.PrivateKey
    certificate: bytes
    attributes: int = ATTESTATION
    log: bytes = b""
    pcrs: dict[str, dict[int, bytes]] = {}

    @classmethod
    def made(
        cls,
        when: datetime,
        *,
        vendor: Vendor = Vendor.TPM,
        key: pki.PrivateKey | None = None,
        extensions: list[tuple[x509.ExtensionType, bool]] | None = None,
        **boot: Any,
    ) -> Self:
        """A TPM whose certificates are valid around `when`; `boot` goes to `boot_log.usual`."""
        curve = ec.SECP256R1()
        root = authority("simulated TPM root", curve, when - 365 * DAY, when + 3650 * DAY)
        issuer = authority("simulated TPM issuer", curve, when - 30 * DAY, when + 365 * DAY, by=root, path_length=0)
        key = key or ec.generate_private_key(curve)
        usual: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (pki.usage("digital_signature"), True),
            (x509.ExtendedKeyUsage([x509.ObjectIdentifier(AK_CERTIFICATE)]), False),
        ]
        leaf = pki.issued(
            "simulated AK", key.public_key(), issuer, when - DAY, when + DAY, extensions=extensions or usual
        )
        log = boot_log.written(boot_log.usual(**boot))
        pcrs = {bank: boot_log.registers(log, bank) for bank in ("sha-1", "sha-256", "sha-384")}
        return cls(vendor=vendor, root=root, issuer=issuer, key=key, certificate=der(leaf), log=log, pcrs=pcrs)

    def anchors(self) -> Anchors:
        """The anchor set in which this root, and nothing else, is believed."""
        return Anchors(SIMULATED, {self.vendor: (Certificate(der(self.root.certificate)),)})

    def certificates(self) -> bytes:
        """The attestation key's certificate and its issuer, DER, one after the other."""
        return self.certificate + der(self.issuer.certificate)

    def endorsements(self) -> Endorsements:
        """Nothing: the certificates travel with the quote."""
        return NOTHING

    def quote(
        self,
        extra_data: bytes,
        *,
        selections: tuple[tuple[str, tuple[int, ...]], ...] = (("sha-256", tuple(range(24))),),
        digest: str = "sha-256",
        **fields: int,
    ) -> bytes:
        """A TPMS_ATTEST over the registers selected; `fields` are its integers by name."""
        values = {"magic": TPM_GENERATED_VALUE, "type": TPM_ST_ATTEST_QUOTE, "clock": 7, "reset_count": 1}
        values |= {"restart_count": 0, "safe": 1, "firmware_version": 0x2016_0511_0016_2800} | fields
        selected = b"".join(self.pcrs[bank][index] for bank, indices in selections for index in indices)
        return (
            struct.pack(">IH", values["magic"], values["type"])
            + _sized(b"\0\x0b" + hashlib.sha256(b"simulated").digest())
            + _sized(extra_data)
            + struct.pack(">QIIB", *(values[n] for n in ("clock", "reset_count", "restart_count", "safe")))
            + struct.pack(">QI", values["firmware_version"], len(selections))
            + b"".join(_selection(bank, indices) for bank, indices in selections)
            + _sized(hashlib.new(digest.replace("-", ""), selected).digest())
        )

    def signed(self, attest: bytes) -> bytes:
        """A TPMT_SIGNATURE with SHA-256."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            signature = self.key.sign(attest, padding.PKCS1v15(), hashes.SHA256())
            return struct.pack(">HH", RSASSA, _NUMBERS["sha-256"]) + _sized(signature)
        r, s = decode_dss_signature(self.key.sign(attest, ec.ECDSA(hashes.SHA256())))
        return (
            struct.pack(">HH", ECDSA, _NUMBERS["sha-256"])
            + _sized(r.to_bytes(32, "big"))
            + _sized(s.to_bytes(32, "big"))
        )

    def public(self) -> bytes:
        """The key's TPMT_PUBLIC."""
        head = struct.pack(">HI", _NUMBERS["sha-256"], self.attributes) + _sized(b"") + struct.pack(">H", ALG_NULL)
        if isinstance(self.key, rsa.RSAPrivateKey):
            modulus = self.key.public_key().public_numbers().n
            size = self.key.key_size
            tail = struct.pack(">HHHI", RSASSA, _NUMBERS["sha-256"], size, 0) + _sized(
                modulus.to_bytes(size // 8, "big")
            )
            return b"\0\x01" + head + tail
        point = self.key.public_key().public_numbers()
        tail = struct.pack(">HHHH", ECDSA, _NUMBERS["sha-256"], _CURVE_P256, ALG_NULL)
        return b"\0\x23" + head + tail + _sized(point.x.to_bytes(32, "big")) + _sized(point.y.to_bytes(32, "big"))

    def pcr_values(self) -> bytes:
        """The registers as tools write them, JSON."""
        table = {b.replace("-", ""): {str(i): v.hex() for i, v in values.items()} for b, values in self.pcrs.items()}
        return json.dumps(table).encode()

    def parts(self, attest: bytes) -> dict[str, bytes]:
        """Everything that belongs to a quote."""
        return {
            "signature": self.signed(attest),
            "ak_public": self.public(),
            "ak_certificates": self.certificates(),
            "pcrs": self.pcr_values(),
            "event_log": self.log,
        }

    def evidence(self, extra_data: bytes, **changes: Any) -> Evidence:
        """A quote over `extra_data`; `parts` in `changes` replaces parts (None leaves one out)."""
        parts = changes.pop("parts", {})
        attest = self.quote(extra_data, **changes)
        every = {**self.parts(attest), **parts}
        return Evidence(Kind.TPM, attest, {name: raw for name, raw in every.items() if raw is not None})


def _sized(raw: bytes) -> bytes:
    return struct.pack(">H", len(raw)) + raw


def _selection(bank: str, indices: tuple[int, ...]) -> bytes:
    bits = sum(1 << index for index in indices)
    return struct.pack(">HB", _NUMBERS[bank], 3) + bits.to_bytes(3, "little")
