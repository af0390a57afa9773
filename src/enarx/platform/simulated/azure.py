# SPDX-License-Identifier: Apache-2.0
"""A simulated Azure confidential VM: a simulated processor and TPM, tied by an HCL report."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import datetime
from typing import Any, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from enarx.evidence.anchor import SIMULATED, Anchors, Vendor
from enarx.evidence.azure_hcl import AK, MAGIC, REPORT_SIZE, TDREPORT_SIZE
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.tdx import parse as parse_quote
from enarx.evidence.tdx_report import TdReport
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.platform.simulated.tdx import SimulatedTdx
from enarx.platform.simulated.tpm import SimulatedTpm

SIZE = 2600
"""The NV index that the report is read from."""
VM = {"console-enabled": False, "secure-boot": True, "tpm-enabled": True, "vmUniqueId": "SIMULATED-0001"}


class SimulatedAzure(msgspec.Struct, frozen=True):
    """A machine: `chip` signs the report, `tpm` the quotes."""

    chip: SimulatedSnp
    tpm: SimulatedTpm

    @classmethod
    def made(cls, when: datetime, *, chip: SimulatedSnp | None = None, **boot: Any) -> Self:
        """A machine with roots of its own."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        tpm = SimulatedTpm.made(when, vendor=Vendor.MICROSOFT, key=key, **boot)
        return cls(chip or SimulatedSnp.made(when), tpm)

    def anchors(self) -> Anchors:
        """Both roots, and nothing else."""
        return Anchors(SIMULATED, {**self.chip.anchors().roots, **self.tpm.anchors().roots})

    def endorsements(self) -> Endorsements:
        """The processor's certificates."""
        return self.chip.endorsements()

    def runtime(self, **document: Any) -> bytes:
        """The runtime data; `document` replaces its members."""
        jwk = {"kid": AK, "key_ops": ["sign"], "kty": "RSA", **self._numbers()}
        table = {"keys": [jwk], "vm-configuration": VM, "user-data": "00" * 64, **document}
        return json.dumps(table, separators=(",", ":")).encode()

    def _numbers(self) -> dict[str, str]:
        public = self.tpm.key.public_key()
        if not isinstance(public, rsa.RSAPublicKey):
            msg = "an HCL report names an RSA key"
            raise TypeError(msg)
        numbers = public.public_numbers()
        return {"e": _base64(numbers.e), "n": _base64(numbers.n)}

    def hcl_report(self, *, runtime: bytes | None = None, report: bytes | None = None, **fields: Any) -> bytes:
        """The HCL report; `fields` go to the SNP report, whose report_data is the runtime data's hash."""
        runtime = self.runtime() if runtime is None else runtime
        hashed = hashlib.sha256(runtime).digest().ljust(64, b"\0")
        report = self.chip.report(hashed, **fields) if report is None else report
        header = MAGIC + struct.pack("<IIII", 2, 32 + REPORT_SIZE + 20 + len(runtime), 2, 0) + bytes(12)
        described = struct.pack("<IIIII", 20 + len(runtime), 1, 2, 1, len(runtime))
        return (header + report + described + runtime).ljust(SIZE, b"\0")

    def evidence(self, extra_data: bytes, **changes: Any) -> Evidence:
        """The HCL report with a quote over `extra_data`; `parts` replaces parts (None leaves one out)."""
        parts = changes.pop("parts", {})
        attest = self.tpm.quote(extra_data)
        beside = {name: raw for name, raw in self.tpm.parts(attest).items() if name != "ak_public"}
        every = {"quote": attest, **beside, **parts}
        kept = {name: raw for name, raw in every.items() if raw is not None}
        return Evidence(Kind.AZURE_SNP_VTPM, self.hcl_report(**changes), kept)


def _base64(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class SimulatedAzureTdx(SimulatedAzure, frozen=True):
    """The same on TDX: the HCL report holds a TDREPORT, and a quote of it travels beside."""

    domain: SimulatedTdx

    @classmethod
    def started(cls, when: datetime, **boot: Any) -> Self:
        """A machine with roots of its own."""
        plain = SimulatedAzure.made(when, **boot)
        return cls(plain.chip, plain.tpm, SimulatedTdx.made(when))

    def anchors(self) -> Anchors:
        """Both roots, and nothing else."""
        return Anchors(SIMULATED, {**self.domain.anchors().roots, **self.tpm.anchors().roots})

    def endorsements(self) -> Endorsements:
        """The platform's collateral."""
        return self.domain.endorsements()

    def evidence(self, extra_data: bytes, **changes: Any) -> Evidence:
        """As `SimulatedAzure.evidence`; `fields` of the trust domain may be changed too."""
        parts = changes.pop("parts", {})
        runtime = changes.pop("runtime", None) or self.runtime()
        quote = self.domain.quote(hashlib.sha256(runtime).digest(), **changes)
        plain = SimulatedAzure.evidence(self, extra_data, parts={"td_quote": quote, **parts})
        report = td_report(parse_quote(quote).domain).ljust(REPORT_SIZE, b"\0")
        body = bytearray(self.hcl_report(runtime=runtime, report=report))
        struct.pack_into("<I", body, 0x4C8, 4)
        return Evidence(Kind.AZURE_TDX_VTPM, bytes(body), plain.parts)


def td_report(domain: TdReport) -> bytes:
    """A TDREPORT that says what a trust domain report says, with an empty MAC."""
    tcb = b"".join((b"\xff\x01\3".ljust(8, b"\0"), domain.tee_tcb_svn, domain.mrseam, domain.mrsignerseam))
    tcb = (tcb + domain.seam_attributes).ljust(239, b"\0")
    info = b"".join((domain.td_attributes, domain.xfam, domain.mrtd, domain.mrconfigid, domain.mrowner))
    info += b"".join((domain.mrownerconfig, domain.rtmr0, domain.rtmr1, domain.rtmr2, domain.rtmr3))
    info = info.ljust(512, b"\0")
    head = b"\x81".ljust(32, b"\0") + hashlib.sha384(tcb).digest() + hashlib.sha384(info).digest() + domain.report_data
    return (head.ljust(256, b"\0") + tcb.ljust(256, b"\0") + info).ljust(TDREPORT_SIZE, b"\0")
