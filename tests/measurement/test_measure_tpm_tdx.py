"""Predictions from inputs alone: TPM registers, TDX registers. Those of a TPM are held against a real boot elsewhere."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed
from enarx.measurement import ovmf, tdx, tpm
from enarx.measurement.pe import authenticode


def pe(body: bytes = b"code", certificates: bytes = b"", checksum: int = 0) -> bytes:
    """A PE32+ image with one section."""
    image = bytearray(0x200)
    image[:2], image[0x3C:0x40] = b"MZ", struct.pack("<I", 0x40)
    image[0x40:0x44] = b"PE\0\0"
    struct.pack_into("<HH", image, 0x44, 0x8664, 1)
    struct.pack_into("<H", image, 0x54, 0xF0)
    struct.pack_into("<H", image, 0x58, 0x20B)
    struct.pack_into("<I", image, 0x58 + 60, 0x200)
    struct.pack_into("<I", image, 0x58 + 64, checksum)
    struct.pack_into("<II", image, 0x58 + 112 + 32, 0x200 + len(body) if certificates else 0, len(certificates))
    struct.pack_into("<II", image, 0x58 + 0xF0 + 16, len(body), 0x200)
    return bytes(image) + body + certificates


def test_a_signature_and_a_checksum_do_not_change_a_programs_digest() -> None:
    assert authenticode(pe()) == authenticode(pe(checksum=7))
    assert authenticode(pe(b"codecode")) != authenticode(pe(b"codecodf"))


@given(st.binary(max_size=400))
def test_bytes_that_are_no_program_are_malformed(raw: bytes) -> None:
    with pytest.raises(EnarxError) as caught:
        authenticode(raw)
    assert Malformed is type(caught.value)


@pytest.mark.parametrize("changed", ["kernel", "initrd", "command_line"])
def test_each_part_of_an_image_changes_its_registers_and_no_others(changed: str) -> None:
    inputs = {"kernel": pe(), "initrd": b"initrd", "command_line": "quiet"}
    other = {**inputs, changed: {"kernel": pe(b"c0de"), "initrd": b"initrf", "command_line": "quieT"}[changed]}
    before, after = (tpm.registers(tpm.events(**one)) for one in (inputs, other))
    assert [4 if changed == "kernel" else 9] == [number for number in before if before[number] != after[number]]
    before, after = (tdx.rtmrs(**one) for one in (inputs, other))
    assert [1 if changed == "kernel" else 2] == [number for number in before if before[number] != after[number]]


def test_the_launch_registers_hold_the_launch_digest() -> None:
    assert hashlib.sha256(bytes(32) + b"L" * 32).digest() == tpm.launch_register(b"L" * 32)
    assert hashlib.sha384(bytes(48) + b"L" * 32 + bytes(16)).digest() == tdx.launch_register(b"L" * 32)


def tdvf(contents: bytes) -> bytes:
    rows = [(0, 0x1000, 0xFFFFE000, 0x1000, 0, 1), (0, 0, 0x809000, 0x1000, 2, 0), (0, 0, 0x1000000, 0x1000, 4, 2)]
    metadata = b"TDVF" + struct.pack("<III", 16 + 32 * len(rows), 1, len(rows))
    metadata += b"".join(struct.pack("<IIQQII", *row) for row in rows)
    entries = struct.pack("<I", 0x1000 - 0x100) + struct.pack("<H", 22) + ovmf.TDX_METADATA.bytes_le
    footer = struct.pack("<H", len(entries) + 18) + bytes.fromhex("de82b596b21ff745baeaa366c55a082d")
    image = bytearray(contents.ljust(0x1000, b"\0"))
    image[0x1000 - 0x1000 + 0x100 : 0x100 + len(metadata)] = metadata
    tail = entries + footer + bytes(32)
    image[-len(tail) :] = tail
    return bytes(image)


def test_mrtd_adds_each_page_and_extends_those_that_say_so() -> None:
    image = tdvf(b"reset")

    def record(name: bytes, gpa: int) -> bytes:
        return name + bytes(16 - len(name)) + struct.pack("<Q", gpa) + bytes(104)

    expected = hashlib.sha384(record(b"MEM.PAGE.ADD", 0xFFFFE000))
    for at in range(0, 0x1000, 256):
        expected.update(record(b"MR.EXTEND", 0xFFFFE000 + at) + image[at : at + 256])
    expected.update(record(b"MEM.PAGE.ADD", 0x809000))
    assert expected.digest() == tdx.mrtd(image)


@given(st.integers(0, 0xFFF), st.binary(min_size=1, max_size=8))
def test_a_damaged_firmware_is_malformed_or_measured(at: int, noise: bytes) -> None:
    image = bytearray(tdvf(b""))
    image[at : at + len(noise)] = noise
    try:
        assert 48 == len(tdx.mrtd(bytes(image[:0x1000])))
    except EnarxError as error:
        assert Malformed is type(error)
