# SPDX-License-Identifier: Apache-2.0
"""The SEV-SNP ATTESTATION_REPORT, versions 2 to 5, read to the last byte (AMD 56860 table 23)."""

from __future__ import annotations

import struct
from enum import StrEnum

import msgspec

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


class Firmware(msgspec.Struct, frozen=True, order=True, gc=False):
    """A version of the SNP firmware."""

    major: int
    minor: int
    build: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}"


class Cpuid(msgspec.Struct, frozen=True, gc=False):
    """Family (base and extended combined), model (combined) and stepping; since version 3."""

    family: int
    model: int
    stepping: int


class SnpReport(msgspec.Struct, frozen=True, gc=False):
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


_ROWS: tuple[tuple[int, str, str], ...] = (
    (0x000, "I", "VERSION"),
    (0x004, "I", "GUEST_SVN"),
    (0x008, "Q", "POLICY"),
    (0x010, "16s", "FAMILY_ID"),
    (0x020, "16s", "IMAGE_ID"),
    (0x030, "I", "VMPL"),
    (0x034, "I", "SIGNATURE_ALGO"),
    (0x038, "8s", "CURRENT_TCB"),
    (0x040, "Q", "PLATFORM_INFO"),
    (0x048, "I", "AUTHOR_KEY_EN, MASK_CHIP_KEY, SIGNING_KEY"),
    (0x04C, "4s", "reserved"),
    (0x050, "64s", "REPORT_DATA"),
    (0x090, "48s", "MEASUREMENT"),
    (0x0C0, "32s", "HOST_DATA"),
    (0x0E0, "48s", "ID_KEY_DIGEST"),
    (0x110, "48s", "AUTHOR_KEY_DIGEST"),
    (0x140, "32s", "REPORT_ID"),
    (0x160, "32s", "REPORT_ID_MA"),
    (0x180, "8s", "REPORTED_TCB"),
    (0x188, "3s", "CPUID_FAM_ID, CPUID_MOD_ID, CPUID_STEP"),
    (0x18B, "21s", "reserved"),
    (0x1A0, "64s", "CHIP_ID"),
    (0x1E0, "8s", "COMMITTED_TCB"),
    (0x1E8, "3s", "CURRENT_BUILD, _MINOR, _MAJOR"),
    (0x1EB, "1s", "reserved"),
    (0x1EC, "3s", "COMMITTED_BUILD, _MINOR, _MAJOR"),
    (0x1EF, "1s", "reserved"),
    (0x1F0, "8s", "LAUNCH_TCB"),
    (0x1F8, "Q", "LAUNCH_MIT_VECTOR"),
    (0x200, "Q", "CURRENT_MIT_VECTOR"),
    (0x208, "152s", "reserved"),
    (0x2A0, "48s", "R"),
    (0x2D0, "24s", "R beyond 384 bits"),
    (0x2E8, "48s", "S"),
    (0x318, "24s", "S beyond 384 bits"),
    (0x330, "368s", "SIGNATURE reserved"),
)
"""The report as table 23 has it: offset, size and field, little-endian."""

_ZEROS = tuple(bytes(struct.calcsize(size)) for _, size, field in _ROWS if "reserved" in field or "beyond" in field)
_LAYOUT = struct.Struct("<" + "".join(size for _, size, _ in _ROWS))


def parse(raw: bytes) -> SnpReport:
    """Read one report of exactly 1184 bytes; `Malformed` if anything reserved is not zero."""
    if len(raw) != SIZE:
        reason = Reason.TRUNCATED if len(raw) < SIZE else Reason.TRAILING_BYTES
        raise Malformed(reason, f"attestation report: {len(raw)} bytes, expected {SIZE}")
    (
        version, guest_svn, policy, family_id, image_id, vmpl, algorithm, current_tcb, platform_info, key_info,
        reserved_04c, report_data, measurement, host_data, id_key_digest, author_key_digest, report_id, report_id_ma,
        reported_tcb, cpuid, reserved_18b, chip_id, committed_tcb, current, reserved_1eb, committed, reserved_1ef,
        launch_tcb, launch_mit_vector, current_mit_vector, reserved_208, r, r_beyond, s, s_beyond, reserved_330,
    ) = _LAYOUT.unpack(raw)  # fmt: skip
    if not 2 <= version <= 5:
        raise Malformed(Reason.UNKNOWN_VERSION, f"attestation report: version {version}")
    _require_policy(policy)
    if algorithm != ECDSA_P384_SHA384:
        raise Malformed(Reason.UNKNOWN_VALUE, f"attestation report: SIGNATURE_ALGO {algorithm:#x}")
    author_key_en, mask_chip_key, signing_key = _key_info(key_info)
    zeros = (reserved_04c, reserved_18b, reserved_1eb, reserved_1ef, reserved_208, r_beyond, s_beyond, reserved_330)
    if zeros != _ZEROS:
        raise _not_zero(raw, "reserved", "beyond")
    _require_later(raw, version, cpuid, launch_mit_vector | current_mit_vector)
    return SnpReport(
        raw, version, guest_svn, policy, family_id, image_id, vmpl, current_tcb, platform_info,
        author_key_en, mask_chip_key, signing_key, report_data, measurement, host_data,
        id_key_digest, author_key_digest, report_id, report_id_ma, reported_tcb,
        Cpuid(*cpuid) if version >= 3 else None, chip_id,
        committed_tcb, Firmware(*current[::-1]), Firmware(*committed[::-1]), launch_tcb,
        launch_mit_vector if version >= 5 else None, current_mit_vector if version >= 5 else None,
        int.from_bytes(r, "little"), int.from_bytes(s, "little"),
    )  # fmt: skip


def _require_later(raw: bytes, version: int, cpuid: bytes, vectors: int) -> None:
    """Fields of later versions are zero in earlier ones."""
    if version < 3 and any(cpuid):
        raise _not_zero(raw, "CPUID")
    if version < 5 and vectors:
        raise _not_zero(raw, "MIT_VECTOR")


def _not_zero(raw: bytes, *words: str) -> Malformed:
    """Which of the fields with one of these words in its name is not zero."""
    for offset, size, field in _ROWS:
        if any(word in field for word in words) and any(raw[offset : offset + struct.calcsize(size)]):
            return Malformed(Reason.RESERVED_NOT_ZERO, f"attestation report: {field} at {offset:#x}")
    return Malformed(Reason.RESERVED_NOT_ZERO, "attestation report")


def _require_policy(policy: int) -> None:
    """POLICY (table 10): bit 17 is one, bits 63:26 are zero."""
    if not policy & POLICY_RESERVED_ONE:
        raise Malformed(Reason.UNKNOWN_VALUE, "attestation report: POLICY bit 17 is zero")
    if policy >> _POLICY_KNOWN:
        raise Malformed(Reason.RESERVED_NOT_ZERO, f"attestation report: POLICY {policy:#018x}")


def _key_info(bits: int) -> tuple[bool, bool, SigningKey]:
    """AUTHOR_KEY_EN (bit 0), MASK_CHIP_KEY (1), SIGNING_KEY (4:2); the rest is zero."""
    if bits >> 5:
        raise Malformed(Reason.RESERVED_NOT_ZERO, f"attestation report: {bits:#x} at 0x48")
    signing_key = _SIGNING_KEYS.get(bits >> 2)
    if signing_key is None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"attestation report: SIGNING_KEY {bits >> 2}")
    return bool(bits & 1), bool(bits & 2), signing_key
