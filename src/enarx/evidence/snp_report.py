# SPDX-License-Identifier: Apache-2.0
"""The SEV-SNP ATTESTATION_REPORT, versions 2 to 5, read to the last byte (AMD 56860 table 23)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from enarx.codec.cursor import Cursor
from enarx.errors import Malformed, Reason

SIZE = 1184
SIGNED = 0x2A0
"""The signature covers the bytes before this offset."""

POLICY_SMT = 1 << 16
POLICY_RESERVED_ONE = 1 << 17
POLICY_MIGRATE_MA = 1 << 18
POLICY_DEBUG = 1 << 19
POLICY_SINGLE_SOCKET = 1 << 20
POLICY_CXL_ALLOW = 1 << 21
POLICY_MEM_AES_256_XTS = 1 << 22
POLICY_RAPL_DIS = 1 << 23
POLICY_CIPHERTEXT_HIDING = 1 << 24
POLICY_PAGE_SWAP_DISABLE = 1 << 25
_POLICY_KNOWN = 26

ECDSA_P384_SHA384 = 1


class SigningKey(StrEnum):
    """Which key signed: of the chip, or of the cloud provider."""

    VCEK = "VCEK"
    VLEK = "VLEK"
    NONE = "none"


_SIGNING_KEYS = {0: SigningKey.VCEK, 1: SigningKey.VLEK, 7: SigningKey.NONE}


class Firmware(msgspec.Struct, frozen=True, order=True):
    """A version of the SNP firmware."""

    major: int
    minor: int
    build: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}"


class Cpuid(msgspec.Struct, frozen=True):
    """Family (base and extended combined), model (combined) and stepping; since version 3."""

    family: int
    model: int
    stepping: int


class SnpReport(msgspec.Struct, frozen=True):
    """A report as it stands. Byte strings are raw; integers were little-endian.

    The four TCB fields are 8 raw bytes whose layout depends on the product
    (`enarx.evidence.snp_tcb`). `cpuid` is None in version 2, the mitigation vectors before 5.
    """

    raw: bytes
    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    current_tcb: bytes
    platform_info: int
    author_key_en: bool
    mask_chip_key: bool
    signing_key: SigningKey
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: bytes
    cpuid: Cpuid | None
    chip_id: bytes
    committed_tcb: bytes
    current: Firmware
    committed: Firmware
    launch_tcb: bytes
    launch_mit_vector: int | None
    current_mit_vector: int | None
    r: int
    s: int


def parse(raw: bytes) -> SnpReport:
    """Read one report of exactly 1184 bytes; `Malformed` if anything reserved is not zero."""
    if len(raw) > SIZE:
        raise Malformed(Reason.TRAILING_BYTES, f"attestation report: {len(raw)} bytes, expected {SIZE}")
    cursor = Cursor(raw, "attestation report")
    version = cursor.little(4, "VERSION")
    if not 2 <= version <= 5:
        raise Malformed(Reason.UNKNOWN_VERSION, f"attestation report: version {version}")
    guest_svn = cursor.little(4, "GUEST_SVN")
    policy = _policy(cursor.little(8, "POLICY"))
    family_id = cursor.take(16, "FAMILY_ID")
    image_id = cursor.take(16, "IMAGE_ID")
    vmpl = cursor.little(4, "VMPL")
    _algorithm(cursor.little(4, "SIGNATURE_ALGO"))
    current_tcb = cursor.take(8, "CURRENT_TCB")
    platform_info = cursor.little(8, "PLATFORM_INFO")
    author_key_en, mask_chip_key, signing_key = _key_info(cursor.little(4, "SIGNING_KEY"))
    cursor.zeros(4, "reserved")
    report_data = cursor.take(64, "REPORT_DATA")
    measurement = cursor.take(48, "MEASUREMENT")
    host_data = cursor.take(32, "HOST_DATA")
    id_key_digest = cursor.take(48, "ID_KEY_DIGEST")
    author_key_digest = cursor.take(48, "AUTHOR_KEY_DIGEST")
    report_id = cursor.take(32, "REPORT_ID")
    report_id_ma = cursor.take(32, "REPORT_ID_MA")
    reported_tcb = cursor.take(8, "REPORTED_TCB")
    cpuid = _cpuid(cursor, version)
    cursor.zeros(21, "reserved")
    chip_id = cursor.take(64, "CHIP_ID")
    committed_tcb = cursor.take(8, "COMMITTED_TCB")
    current = _firmware(cursor, "CURRENT")
    committed = _firmware(cursor, "COMMITTED")
    launch_tcb = cursor.take(8, "LAUNCH_TCB")
    launch_mit_vector = _mitigations(cursor, version, "LAUNCH_MIT_VECTOR")
    current_mit_vector = _mitigations(cursor, version, "CURRENT_MIT_VECTOR")
    cursor.zeros(152, "reserved")
    r = _component(cursor, "R")
    s = _component(cursor, "S")
    cursor.zeros(368, "SIGNATURE reserved")
    cursor.done()
    return SnpReport(
        raw, version, guest_svn, policy, family_id, image_id, vmpl, current_tcb, platform_info,
        author_key_en, mask_chip_key, signing_key, report_data, measurement, host_data,
        id_key_digest, author_key_digest, report_id, report_id_ma, reported_tcb, cpuid, chip_id,
        committed_tcb, current, committed, launch_tcb, launch_mit_vector, current_mit_vector, r, s,
    )  # fmt: skip


def _policy(policy: int) -> int:
    """POLICY (table 10): bit 17 is one, bits 63:26 are zero."""
    if not policy & POLICY_RESERVED_ONE:
        raise Malformed(Reason.UNKNOWN_VALUE, "attestation report: POLICY bit 17 is zero")
    if policy >> _POLICY_KNOWN:
        raise Malformed(Reason.RESERVED_NOT_ZERO, f"attestation report: POLICY {policy:#018x}")
    return policy


def _algorithm(algorithm: int) -> None:
    if algorithm != ECDSA_P384_SHA384:
        raise Malformed(Reason.UNKNOWN_VALUE, f"attestation report: SIGNATURE_ALGO {algorithm:#x}")


def _key_info(bits: int) -> tuple[bool, bool, SigningKey]:
    """AUTHOR_KEY_EN (bit 0), MASK_CHIP_KEY (1), SIGNING_KEY (4:2); the rest is zero."""
    if bits >> 5:
        raise Malformed(Reason.RESERVED_NOT_ZERO, f"attestation report: {bits:#x} at 0x48")
    signing_key = _SIGNING_KEYS.get(bits >> 2)
    if signing_key is None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"attestation report: SIGNING_KEY {bits >> 2}")
    return bool(bits & 1), bool(bits & 2), signing_key


def _cpuid(cursor: Cursor, version: int) -> Cpuid | None:
    if version < 3:
        cursor.zeros(3, "reserved")
        return None
    family, model, stepping = cursor.take(3, "CPUID")
    return Cpuid(family, model, stepping)


def _firmware(cursor: Cursor, which: str) -> Firmware:
    build, minor, major = cursor.take(3, which)
    cursor.zeros(1, "reserved")
    return Firmware(major, minor, build)


def _mitigations(cursor: Cursor, version: int, field: str) -> int | None:
    if version < 5:
        cursor.zeros(8, "reserved")
        return None
    return cursor.little(8, field)


def _component(cursor: Cursor, field: str) -> int:
    """One half of the signature: 48 significant bytes of 72, little-endian (table 119)."""
    value = cursor.little(48, field)
    cursor.zeros(24, f"{field} beyond 384 bits")
    return value
