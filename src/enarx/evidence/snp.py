# SPDX-License-Identifier: Apache-2.0
"""AMD SEV-SNP: an attestation report believed because AMD's chain signed its key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from enarx.errors import Malformed, Reason
from enarx.evidence import snp_table
from enarx.evidence.amd_certificate import Endorsed
from enarx.evidence.amd_chain import authenticate_chain
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Trail
from enarx.evidence.claims import Claims
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.memory import Memory
from enarx.evidence.snp_report import POLICY_DEBUG, SIGNED, SIZE, SigningKey, SnpReport, parse
from enarx.evidence.snp_table import GuidOrder
from enarx.evidence.snp_tcb import Product, product_of, reserved

__all__ = ["SnpClaims", "SnpReport", "authenticate", "judge", "parse"]

P384_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
"""The order n of the group (FIPS 186-5, P-384)."""
_ALGORITHM = ec.ECDSA(hashes.SHA384())

REPORT = "AMD 56860 table 23"


class SnpClaims(Claims, frozen=True, kw_only=True):
    """An authenticated report.

    report    every field of it
    endorsed  what the VCEK or VLEK certificate says
    """

    report: SnpReport
    endorsed: Endorsed

    @property
    def product(self) -> Product:
        """The generation."""
        return self.endorsed.product

    def chip(self) -> bytes | None:
        """Which processor: CHIP_ID or, where that is masked, the chip that the VCEK stands for.

        64 bytes, on Turin 8 and zeros. None with a VLEK on a platform that masks its identity.
        """
        if any(self.report.chip_id):
            return self.report.chip_id
        return self.endorsed.hwid.ljust(64, b"\0") if self.endorsed.hwid is not None else None

    def debug(self) -> bool:
        """POLICY bit 19: the host may read and write the guest's memory."""
        return bool(self.report.policy & POLICY_DEBUG)

    def facts(self) -> dict[str, Any]:
        """Every field, byte strings as they stand in the report."""
        found: dict[str, Any] = {"product": str(self.product), "signing_key": str(self.endorsed.key)}
        for name in _FACTS:
            value = getattr(self.report, name)
            found[name] = value.hex() if isinstance(value, bytes) else value
        found["cpuid"] = msgspec.to_builtins(self.report.cpuid)
        found["current_version"] = str(self.report.current)
        found["committed_version"] = str(self.report.committed)
        found["csp_id"] = self.endorsed.csp_id
        return found


_FACTS = (
    "version", "guest_svn", "policy", "vmpl", "platform_info", "author_key_en", "family_id", "image_id",
    "report_data", "measurement", "host_data", "id_key_digest", "author_key_digest", "report_id",
    "report_id_ma", "chip_id", "current_tcb", "reported_tcb", "committed_tcb", "launch_tcb",
    "launch_mit_vector", "current_mit_vector",
)  # fmt: skip


def judge(
    evidence: Evidence,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
) -> SnpClaims:
    """Parse and authenticate: `body` is a report, or a report with a GHCB certificate table behind it.

    `parts` may hold a table: "certificate_table" (GHCB order) or "svsm_certificate_table".
    """
    raw = evidence.body
    tables: list[tuple[bytes, GuidOrder]] = []
    if len(raw) > SIZE:
        raw, table = snp_table.split(raw)
        tables.append((table, GuidOrder.GHCB))
    report = parse(raw)
    for name, order in _TABLES.items():
        if name in evidence.parts:
            tables.append((evidence.parts[name], order))
    if unknown := evidence.parts.keys() - _TABLES.keys():
        raise Malformed(Reason.UNKNOWN_KEY, f"evidence of kind snp: part {min(unknown)!r}")
    for table, order in tables:
        endorsements = snp_table.added(endorsements, snp_table.parse(table, order))
    return authenticate(report, endorsements, anchors=anchors, when=when, memory=memory, alone=True)


_TABLES = {"certificate_table": GuidOrder.GHCB, "svsm_certificate_table": GuidOrder.SVSM}


def authenticate(
    report: SnpReport,
    endorsements: Endorsements,
    *,
    anchors: Anchors,
    when: datetime,
    memory: Memory[Any] | None = None,
    alone: bool = False,
) -> SnpClaims:
    """Claims of a report whose signature, chain, TCB, chip and product agree.

    `alone`: nothing but AMD's certificates belongs among the endorsements.
    """
    trail = Trail()
    _require_signed(report, trail)
    chain, window = authenticate_chain(
        report, endorsements, anchors=anchors, when=when, trail=trail, memory=memory, alone=alone
    )
    _require_endorsed(report, chain.endorsed, trail)
    _require_signature(report, chain.key, trail)
    return SnpClaims(
        kind=Kind.SNP,
        anchors=anchors.name,
        bound=report.report_data,
        launch=report.host_data,
        window=window,
        checks=trail.checks(),
        report=report,
        endorsed=chain.endorsed,
    )


def _require_signed(report: SnpReport, trail: Trail) -> None:
    """The report says that a key of this chip or provider signed it."""
    trail.require(
        report.signing_key is not SigningKey.NONE,
        Reason.SIGNATURE_INVALID,
        "SIGNING_KEY",
        fact=report.signing_key,
        expectation="VCEK or VLEK",
        source=REPORT,
    )
    if report.mask_chip_key and report.signing_key is SigningKey.VLEK:
        # The VCEK is out of use on this platform, which is what its provider's key is for.
        trail.note("MASK_CHIP_KEY", int(report.mask_chip_key), source=REPORT)
        return
    # MSG_REPORT_REQ: with MASK_CHIP_KEY "the firmware writes zeroes into the SIGNATURE field" of the chip's key.
    trail.require(
        not report.mask_chip_key,
        Reason.KEY_NOT_BOUND,
        "MASK_CHIP_KEY",
        fact=int(report.mask_chip_key),
        expectation=0,
        source=REPORT,
    )


def _require_endorsed(report: SnpReport, endorsed: Endorsed, trail: Trail) -> None:
    """The certificate is for this TCB, this product and this chip."""
    trail.require(
        report.reported_tcb == endorsed.tcb,
        Reason.ENDORSEMENT_MISMATCH,
        "REPORTED_TCB",
        fact=report.reported_tcb,
        expectation=endorsed.tcb,
        source="the certificate's TCB, AMD 57230 section 3.1",
        mend="fetch the certificate for this TCB",
    )
    _require_product(report, endorsed, trail)
    _require_chip(report, endorsed, trail)
    for name, tcb in (
        ("CURRENT_TCB", report.current_tcb),
        ("COMMITTED_TCB", report.committed_tcb),
        ("LAUNCH_TCB", report.launch_tcb),
    ):
        trail.require(
            not reserved(tcb, endorsed.product),
            Reason.RESERVED_NOT_ZERO,
            f"{name} reserved",
            fact=tcb,
            source="AMD 56860 table 3",
        )


def _require_product(report: SnpReport, endorsed: Endorsed, trail: Trail) -> None:
    if report.cpuid is None:
        # Version 2 does not say; the authenticated chain does, and never the caller.
        trail.note("product", endorsed.product_name, source="the certificate's chain")
        return
    found = product_of(report.cpuid)
    trail.require(
        found is endorsed.product,
        Reason.ENDORSEMENT_MISMATCH,
        "product",
        fact=found or f"family {report.cpuid.family:#x} model {report.cpuid.model:#x}",
        expectation=endorsed.product,
        source="CPUID_FAM_ID and CPUID_MOD_ID, AMD 56860 table 23",
    )


def _require_chip(report: SnpReport, endorsed: Endorsed, trail: Trail) -> None:
    """CHIP_ID is the VCEK's hwID; only zeros, by MASK_CHIP_ID, leave it unsaid."""
    if not any(report.chip_id):
        trail.note("CHIP_ID", "masked", source="AMD 56860 table 23, MASK_CHIP_ID")
        return
    if endorsed.hwid is None:
        trail.note("CHIP_ID", report.chip_id, source=REPORT)
        return
    trail.require(
        report.chip_id == endorsed.hwid.ljust(64, b"\0"),
        Reason.ENDORSEMENT_MISMATCH,
        "CHIP_ID",
        fact=report.chip_id,
        expectation=endorsed.hwid,
        source="the certificate's hwID, AMD 57230 section 3.1",
    )


def _require_signature(report: SnpReport, key: ec.EllipticCurvePublicKey, trail: Trail) -> None:
    """ECDSA P-384 with SHA-384 over the bytes received, up to 0x2A0; 0 < r, s < n (FIPS 186-5 6.4.2)."""
    holds = 0 < report.r < P384_ORDER and 0 < report.s < P384_ORDER
    if holds:
        try:
            key.verify(encode_dss_signature(report.r, report.s), report.raw[:SIGNED], _ALGORITHM)
        except InvalidSignature:
            holds = False
    trail.require(
        holds, Reason.SIGNATURE_INVALID, "report signature", expectation="by the certificate's key", source=REPORT
    )
