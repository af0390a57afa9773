# SPDX-License-Identifier: Apache-2.0
"""The fields of an ATTESTATION_REPORT as one writes them (AMD 56860 table 23), unsigned."""

from __future__ import annotations

import msgspec

from enarx.evidence.snp_tcb import Product

TCB = {
    Product.MILAN: bytes.fromhex("04000000000018db"),
    Product.GENOA: bytes.fromhex("0a00000000001754"),
    Product.TURIN: bytes.fromhex("0101010400000051"),
}
"""A TCB_VERSION of each product, in its own byte order."""

CPUID = {
    Product.MILAN: (0x19, 0x01, 0x01),
    Product.GENOA: (0x19, 0x11, 0x01),
    Product.TURIN: (0x1A, 0x02, 0x01),
}
"""Family, model and stepping."""


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says. Sizes are not checked, so that ill-formed reports can be written too.

    signing_key  0 VCEK, 1 VLEK, 7 none
    firmware     major, minor, build; current and committed
    """

    version: int = 3
    guest_svn: int = 0
    policy: int = 0x30000
    family_id: bytes = bytes(16)
    image_id: bytes = bytes(16)
    vmpl: int = 0
    signature_algo: int = 1
    current_tcb: bytes = bytes(8)
    platform_info: int = 0x25
    author_key_en: int = 0
    mask_chip_key: int = 0
    signing_key: int = 0
    report_data: bytes = bytes(64)
    measurement: bytes = bytes(48)
    host_data: bytes = bytes(32)
    id_key_digest: bytes = bytes(48)
    author_key_digest: bytes = bytes(48)
    report_id: bytes = bytes(32)
    report_id_ma: bytes = b"\xff" * 32
    reported_tcb: bytes = bytes(8)
    cpuid: tuple[int, int, int] = (0x19, 0x01, 0x01)
    chip_id: bytes = bytes(64)
    committed_tcb: bytes = bytes(8)
    current: tuple[int, int, int] = (1, 55, 29)
    committed: tuple[int, int, int] = (1, 55, 29)
    launch_tcb: bytes = bytes(8)
    launch_mit_vector: int = 0
    current_mit_vector: int = 0


def encode(said: Fields) -> bytes:
    """The report with no signature: 0x2A0 signed bytes, then zeros up to 1184."""
    key_info = said.author_key_en | said.mask_chip_key << 1 | said.signing_key << 2
    body = b"".join(
        (
            _little(said.version, 4),
            _little(said.guest_svn, 4),
            _little(said.policy, 8),
            said.family_id,
            said.image_id,
            _little(said.vmpl, 4),
            _little(said.signature_algo, 4),
            said.current_tcb,
            _little(said.platform_info, 8),
            _little(key_info, 4),
            bytes(4),
            said.report_data.ljust(64, b"\0"),
            said.measurement,
            said.host_data.ljust(32, b"\0"),
            said.id_key_digest,
            said.author_key_digest,
            said.report_id,
            said.report_id_ma,
            said.reported_tcb,
            bytes(said.cpuid) if said.version >= 3 else bytes(3),
            bytes(21),
            said.chip_id,
            said.committed_tcb,
            bytes(reversed(said.current)) + b"\0",
            bytes(reversed(said.committed)) + b"\0",
            said.launch_tcb,
            _little(said.launch_mit_vector, 8),
            _little(said.current_mit_vector, 8),
            bytes(152),
        )
    )
    return body.ljust(1184, b"\0")


def _little(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")
