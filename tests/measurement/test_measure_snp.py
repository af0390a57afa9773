"""Our SNP launch digest against `sev-snp-measure`, which others wrote."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sevsnpmeasure import guest, vcpu_types
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vmm_types import VMMType
from sevsnpmeasure.vmsa import VMSA

from enarx.errors import EnarxError, Malformed, Misused, Reason
from enarx.measurement import ovmf, snp
from enarx.measurement.snp import CPU_SIGNATURES, Hashed

LINE = "console=ttyS0 quiet -- -m x"


def firmware(*, hashes: bool = True, size: int = 0x4000) -> bytes:
    """A file with the tables of an AmdSev OVMF and nothing else in it."""
    sections = [(0x800000, 0x9000, 1), (0x80A000, 0x3000, 1), (0x80D000, 0x1000, 2), (0x80E000, 0x1000, 3)]
    sections += [(0x80F000, 0x1000, 4), (0x811000, 0x1000, 0x10)] if hashes else []
    metadata = b"ASEV" + struct.pack("<III", 16 + 12 * len(sections), 1, len(sections))
    metadata += b"".join(struct.pack("<III", *section) for section in sections)
    at = 0x100

    def entry(name: uuid.UUID, body: bytes) -> bytes:
        return body + struct.pack("<H", len(body) + 18) + name.bytes_le

    entries = entry(ovmf.SEV_METADATA, struct.pack("<I", size - at))
    entries += entry(ovmf.RESET_BLOCK, struct.pack("<I", 0x80B004))
    entries += entry(ovmf.HASH_TABLE, struct.pack("<II", 0x811C00 if hashes else 0, 0x400 if hashes else 0))
    footer = struct.pack("<H", len(entries) + 18) + uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
    tail = entries + footer + bytes(32)
    body = bytearray(b"\x90" * size)
    body[at : at + len(metadata)] = metadata
    body[size - len(tail) :] = tail
    return bytes(body)


def oracle(folder: Path, image: bytes, hashed: Hashed | None, *, cpus: int, cpu: str, features: int) -> bytes:
    (folder / "ovmf").write_bytes(image)
    names = ["", ""]
    if hashed is not None:
        names = [str(folder / "kernel"), str(folder / "initrd")]
        (folder / "kernel").write_bytes(hashed.kernel)
        (folder / "initrd").write_bytes(hashed.initrd)
    return guest.calc_launch_digest(
        SevMode.SEV_SNP,
        cpus,
        vcpu_types.CPU_SIGS[cpu],
        str(folder / "ovmf"),
        names[0] or None,
        names[1] or None,
        hashed.command_line if hashed is not None else None,
        features,
        vmm_type=VMMType.QEMU,
    )


@pytest.mark.parametrize("cpu", CPU_SIGNATURES)
@pytest.mark.parametrize("cpus", [1, 2, 5])
@pytest.mark.parametrize("features", [0x1, 0x21])
def test_the_digest_is_the_oracles(tmp_path: Path, cpu: str, cpus: int, features: int) -> None:
    hashed = Hashed(kernel=b"kernel" * 1000, initrd=b"initrd", command_line=LINE)
    for kernel, image in ((hashed, firmware()), (None, firmware()), (None, firmware(hashes=False))):
        expected = oracle(tmp_path, image, kernel, cpus=cpus, cpu=cpu, features=features)
        assert expected == snp.launch_digest(image, kernel, cpus=cpus, cpu=cpu, features=features)


def test_each_input_changes_the_digest() -> None:
    hashed = Hashed(kernel=b"k", initrd=b"i", command_line="c")
    variants = [
        snp.launch_digest(firmware(), one, cpus=cpus, cpu=cpu)
        for one, cpus, cpu in (
            (hashed, 1, "EPYC-v4"),
            (hashed, 2, "EPYC-v4"),
            (hashed, 1, "EPYC-Milan-v2"),
            (Hashed(kernel=b"K", initrd=b"i", command_line="c"), 1, "EPYC-v4"),
            (Hashed(kernel=b"k", initrd=b"I", command_line="c"), 1, "EPYC-v4"),
            (Hashed(kernel=b"k", initrd=b"i", command_line="C"), 1, "EPYC-v4"),
            (None, 1, "EPYC-v4"),
        )
    ]
    assert len(variants) == len(set(variants))


def test_a_firmware_that_would_not_measure_the_kernel_is_refused() -> None:
    hashed = Hashed(kernel=b"k", initrd=b"i", command_line="c")
    with pytest.raises(Misused) as caught:
        snp.launch_digest(firmware(hashes=False), hashed, cpus=1, cpu="EPYC-v4")
    assert Reason.BOOT_NOT_MEASURED == caught.value.reason


@pytest.mark.parametrize("eip", [0xFFFFFFF0, 0x80B004])
def test_a_processors_save_area_is_the_oracles(eip: int) -> None:
    assert bytes(VMSA.build_save_area(eip, 1, 0xA00F11)) == snp.vmsa(eip, 0xA00F11, 1)


@given(st.integers(0, 0x3FFF), st.binary(min_size=1, max_size=8))
def test_a_damaged_firmware_is_malformed_or_measured(at: int, noise: bytes) -> None:
    image = bytearray(firmware())
    image[at : at + len(noise)] = noise
    try:
        assert 48 == len(snp.launch_digest(bytes(image[:0x4000]), None, cpus=2, cpu="EPYC-v4"))
    except EnarxError as error:
        assert Malformed is type(error)
