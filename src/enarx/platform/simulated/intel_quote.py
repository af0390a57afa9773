# SPDX-License-Identifier: Apache-2.0
"""A simulated Intel platform with its quoting enclave: quotes in Intel's exact format.

`Machine` is what SGX and TDX share; `sgx.SimulatedSgx` and `tdx.SimulatedTdx` put an enclave or a
trust domain on it.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.digest import sha256
from enarx.evidence.endorsement import Endorsements, IntelCollateral
from enarx.evidence.intel_pck import Platform
from enarx.evidence.intel_qe_identity import QE, TD_QE
from enarx.evidence.intel_quote import ECDSA_P256, PCK_CHAIN, QE_REPORT, QE_VENDOR_ID, TDX
from enarx.evidence.sgx_report import EnclaveReport
from enarx.platform.simulated import intel_documents, intel_pki
from enarx.platform.simulated.intel_pki import SimulatedIntel

_QE_ATTRIBUTES = bytes.fromhex("1500000000000000e700000000000000")


def platform(**fields: Any) -> Platform:
    """A platform's PCK fields: a dual-socket server that is up to date, unless `fields` say otherwise."""
    usual: dict[str, Any] = {
        "ppid": secrets.token_bytes(16),
        "components": bytes.fromhex("06060202040100050000000000000000"),
        "pcesvn": 13,
        "cpusvn": bytes.fromhex("06060202040100050000000000000000"),
        "pceid": bytes(2),
        "fmspc": bytes.fromhex("50806f000000"),
        "sgx_type": "scalable",
        "piid": secrets.token_bytes(16),
        "dynamic_platform": False,
        "cached_keys": False,
        "smt": False,
    }
    return Platform(**{**usual, **fields})


def enclave(**fields: Any) -> EnclaveReport:
    """An enclave's report: zeros, and production attributes, unless `fields` say otherwise."""
    usual: dict[str, Any] = {
        "raw": b"",
        "cpusvn": bytes(16),
        "misc_select": bytes(4),
        "isv_ext_prod_id": bytes(16),
        "attributes": bytes.fromhex("0500000000000000e700000000000000"),
        "mrenclave": bytes(32),
        "mrsigner": bytes(32),
        "config_id": bytes(64),
        "isvprodid": 0,
        "isvsvn": 0,
        "config_svn": 0,
        "isv_family_id": bytes(16),
        "report_data": bytes(64),
    }
    made = EnclaveReport(**{**usual, **fields})
    return msgspec.structs.replace(made, raw=encoded(made))


def encoded(report: EnclaveReport) -> bytes:
    """The 384 bytes of an enclave's report."""
    return b"".join(
        (
            report.cpusvn,
            report.misc_select,
            bytes(12),
            report.isv_ext_prod_id,
            report.attributes,
            report.mrenclave,
            bytes(32),
            report.mrsigner,
            bytes(32),
            report.config_id,
            *(one.to_bytes(2, "little") for one in (report.isvprodid, report.isvsvn, report.config_svn)),
            bytes(42),
            report.isv_family_id,
            report.report_data,
        )
    )


class Machine(msgspec.Struct, frozen=True):
    """One platform: its PCK certificate and key, its quoting enclave and that one's attestation key."""

    intel: SimulatedIntel
    platform: Platform
    pck: x509.Certificate
    pck_key: ec.EllipticCurvePrivateKey
    attestation_key: ec.EllipticCurvePrivateKey
    qe: EnclaveReport
    auth_data: bytes

    @classmethod
    def made(
        cls,
        when: datetime,
        tee_type: int,
        *,
        intel: SimulatedIntel | None = None,
        described: Platform | None = None,
        **qe: Any,
    ) -> Self:
        """A machine under `intel` with fresh keys; `qe` replaces fields of the quoting enclave's report."""
        intel = intel or SimulatedIntel.made(when)
        pck_key, attestation_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        described = described or platform()
        auth_data = bytes(range(32))
        usual = {
            "attributes": _QE_ATTRIBUTES,
            "mrsigner": sha256(b"simulated quoting enclave"),
            "mrenclave": sha256(b"simulated quoting enclave, version 8"),
            "isvprodid": 2 if tee_type == TDX else 1,
            "isvsvn": 8,
            "report_data": sha256(intel_pki.coordinates(attestation_key) + auth_data) + bytes(32),
        }
        pck = intel.pck(pck_key.public_key(), described, when)
        return cls(intel, described, pck, pck_key, attestation_key, enclave(**{**usual, **qe}), auth_data)

    def quote(self, version: int, tee_type: int, body_type: int, body: bytes) -> bytes:
        """A quote over a report body; `body_type` counts from version 5 on."""
        header = b"".join(
            (
                version.to_bytes(2, "little"),
                ECDSA_P256.to_bytes(2, "little"),
                tee_type.to_bytes(4, "little"),
                (self.qe.isvsvn if version == 3 else 0).to_bytes(2, "little"),
                (self.platform.pcesvn if version == 3 else 0).to_bytes(2, "little"),
                QE_VENDOR_ID,
                bytes(20),
            )
        )
        if version >= 5:
            header += body_type.to_bytes(2, "little") + len(body).to_bytes(4, "little")
        return self.signed(version, header + body)

    def signed(self, version: int, said: bytes) -> bytes:
        """Header and body with signature data made anew: for quotes that were changed on purpose."""
        certified = self.certified()
        if version > 3:
            certified = QE_REPORT.to_bytes(2, "little") + len(certified).to_bytes(4, "little") + certified
        signature = intel_pki.signed(self.attestation_key, said)
        data = signature + intel_pki.coordinates(self.attestation_key) + certified
        return said + len(data).to_bytes(4, "little") + data

    def certified(self) -> bytes:
        """The QE report, its signature, and the PCK chain."""
        chain = self.intel.chain(self.pck, self.intel.ca.certificate) + b"\0"
        return b"".join(
            (
                self.qe.raw,
                intel_pki.signed(self.pck_key, self.qe.raw),
                len(self.auth_data).to_bytes(2, "little"),
                self.auth_data,
                PCK_CHAIN.to_bytes(2, "little"),
                len(chain).to_bytes(4, "little"),
                chain,
            )
        )

    def collateral(
        self, tee_type: int, tee_tcb_svn: bytes, when: datetime, *, info: Any = None, identity: Any = None
    ) -> IntelCollateral:
        """What a simulated PCS would answer; `info` and `identity` replace the JSON values before they are signed."""
        tdx = tee_type == TDX
        info = info or intel_documents.tcb_info("TDX" if tdx else "SGX", self.platform, tee_tcb_svn, when)
        identity = identity or intel_documents.qe_identity(TD_QE if tdx else QE, self.qe, when)
        key, chain = self.intel.signer.key, self.intel.chain(self.intel.signer.certificate)
        return IntelCollateral(
            tcb_info=intel_documents.document("tcbInfo", info, key),
            tcb_chain=chain,
            qe_identity=intel_documents.document("enclaveIdentity", identity, key),
            qe_chain=chain,
            pck_crl=self.intel.pck_crl(when),
            pck_crl_chain=self.intel.chain(self.intel.ca.certificate),
            root_crl=self.intel.root_crl(when),
        )

    def endorsements(self, tee_type: int, tee_tcb_svn: bytes, when: datetime, **replaced: Any) -> Endorsements:
        """The same as endorsements."""
        return Endorsements(intel=self.collateral(tee_type, tee_tcb_svn, when, **replaced))
