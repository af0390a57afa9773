"""What is predicted of a whole image, and the reference values that it becomes."""

from __future__ import annotations

import hashlib
import itertools
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.appraisal import boot_events, corim, tpm
from enarx.appraisal.reference import Value, is_event
from enarx.cli.image_corim import signed, values
from enarx.errors import Misused, Reason, Unacceptable
from enarx.evidence.check import Trail, Verdict
from enarx.evidence.tpm import Boot
from enarx.evidence.tpm_boot import Measurement
from enarx.measurement import ovmf, tdx_boot
from enarx.measurement.image import Inputs, Launched, Measured, measured
from tests.measurement.test_measure_snp import firmware as snp_firmware
from tests.measurement.test_measure_tpm_tdx import pe

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
SECTIONS = [
    (0, 0x84000, 0xFFC00000, 0x84000, 1, 0),
    (0, 0, 0x811000, 0xF000, 3, 0),
    (0, 0, 0x80B000, 0x2000, 3, 0),
    (0, 0, 0x809000, 0x2000, 2, 0),
    (0, 0, 0x800000, 0x6000, 3, 0),
]
"""As OVMF 2025.02 has them, without its code."""


def firmware() -> bytes:
    rows = b"".join(struct.pack("<IIQQII", *row) for row in SECTIONS)
    metadata = b"TDVF" + struct.pack("<III", 16 + len(rows), 1, len(SECTIONS)) + rows
    entries = struct.pack("<I", 0x1000) + struct.pack("<H", 22) + ovmf.TDX_METADATA.bytes_le
    footer = struct.pack("<H", len(entries) + 18) + bytes.fromhex("de82b596b21ff745baeaa366c55a082d")
    tail = (metadata.ljust(0x1000 - len(entries) - len(footer) - 32, b"\0")) + entries + footer + bytes(32)
    return bytes(0x84000) + tail


def predicted(**more: object) -> Measured:
    fields = {"kernel": pe(), "initrd": b"initrd", "command_line": "quiet", "firmware": firmware(), "memory": 256 << 20}
    return measured(Inputs(**{**fields, **more}))  # type: ignore[arg-type]


def test_the_menu_entry_and_unset_variables_are_what_dstack_publishes() -> None:
    """Digests of the same events in dstack's published measurements of QEMU guests (dstack-mr)."""
    steps = {step.of: step.digest for step in tdx_boot.rtmr0(firmware(), 1 << 30)}
    assert steps["variable Boot0000"] == bytes.fromhex(
        "23ada07f5261f12f34a0bd8e46760962d6b4d576a416f1fea1c64bc656b1d28eacf7047ae6e967c58fd2a98bfa74c298"
    )
    assert steps["variable SecureBoot"] == bytes.fromhex(
        "9dc3a1f80bcec915391dcda5ffbb15e7419f77eab462bbf72b42166fb70d50325e37b36f93537a863769bcf9bedae6fb"
    )


def test_the_memory_map_covers_the_memory_without_gap_or_overlap() -> None:
    sections = ovmf.tdx_sections(firmware(), ovmf.table(firmware()))
    for memory in (256 << 20, 4 << 30):
        raw = tdx_boot.hand_off(sections, memory)
        rows = [struct.unpack_from("<II2Q", raw, at + 24) for at in range(56, len(raw), 48)]
        assert memory == sum(length for _, _, _, length in rows)
        assert all(after[2] >= row[2] + row[3] for row, after in itertools.pairwise(rows))
        assert 0x809000 + len(raw) + 8 == struct.unpack_from("<Q", raw, 48)[0]
        assert {0x800000, 0x809000, 0x80B000, 0x811000} == {start for kind, _, start, _ in rows if kind == 0}


def test_what_the_inputs_do_not_tell_is_named_until_a_reference_boot_tells_it() -> None:
    found = predicted()
    assert all("ACPI" in name for name in found.unknown())
    assert (3, {1, 2}) == (len(found.unknown()), set(found.rtmrs))
    log = [(step.name, step.digest or bytes([at]) * 48) for at, step in enumerate(found.rtmr0)]
    value = bytes(48)
    for _, digest in log:
        value = hashlib.sha384(value + digest).digest()
    complete = predicted(log=log, launch=b"L" * 32)
    assert ((), value) == (complete.unknown(), complete.rtmrs[0])
    assert {0, 1, 2, 3} == set(complete.rtmrs)
    assert {4, 9, 11} == set(complete.pcrs)


@pytest.mark.parametrize("change", [lambda log: log[1:], lambda log: [log[1], *log[1:]], lambda log: [*log, log[0]]])
def test_the_log_of_another_machine_completes_nothing(change) -> None:  # type: ignore[no-untyped-def]
    log = [(step.name, step.digest or bytes(48)) for step in predicted().rtmr0]
    with pytest.raises(Unacceptable) as caught:
        predicted(log=change(log))
    assert Reason.EVENT_LOG_MISMATCH == caught.value.reason


def test_a_signed_file_holds_every_prediction(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    found = predicted(launch=b"L" * 32)
    raw = signed(found, path, name="image", version=7, when=WHEN, until=WHEN + timedelta(days=9))
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    said = corim.authenticate(corim.parse(raw), {spki: key.public_key()}, Trail())
    assert ("image", 7, WHEN + timedelta(days=9)) == (said.name, said.security_version, said.not_after)
    assert set(values(found)) == set(said.values)
    assert {"event:9:initramfs", "event:4:kernel"} < {
        one.element for one in said.values if is_event("tpm", one.element)
    }


def test_each_processor_model_and_count_has_a_launch_digest_that_says_whose_it_is() -> None:
    found = predicted(tee_firmware=snp_firmware(), models=("EPYC-v4", "EPYC-Genoa-v1"), counts=(1, 4))
    launches = [one for one in values(found) if one.technology == "snp"]
    assert 4 == len({one.raw for one in launches})
    assert {"EPYC-v4, 1 processors", "EPYC-Genoa-v1, 4 processors"} < {one.label for one in launches}


def boot(found: Measured, initrd: bytes) -> Boot:
    """A boot of the image with another initramfs."""
    events = tuple(
        Measurement(one.register, one.name, initrd if one.of == "initramfs" else one.digest) for one in found.events
    )
    pcrs = {"sha-256": {4: found.pcrs[4], 9: b"\1" * 32}}
    return Boot(
        extra_data=b"", pcr_digest=b"", clock=0, reset_count=0, restart_count=0, safe=True, firmware_version=0,
        pcrs=pcrs, replayed=frozenset({4, 9}), secure_boot=None, bank="sha-256", events=events,
    )  # fmt: skip


def test_a_refused_register_names_the_event_that_differs() -> None:
    found = predicted()
    lists = {str(number): frozenset({value.hex()}) for number, value in found.pcrs.items()}
    names = {("tpm", str(one.register), one.of): frozenset({one.digest.hex()}) for one in found.events}
    from msgspec.structs import replace

    policy = replace(tpm.unchecked(), pcrs={"sha256": lists})
    booted = boot(found, b"\2" * 32)
    checks = boot_events.named(tpm.boot_checks(booted, policy, "policy: tpm"), booted, "tpm", names)
    refused = [check for check in checks if check.verdict is Verdict.FAILED]
    assert ["PCR 9: initramfs"] == [check.name for check in refused]
    assert (b"\2" * 32).hex() in refused[0].mend


def test_launch_digests_are_written_in_amd_s_profile_too(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def made(found: Measured) -> bytes:
        return signed(found, path, name="image", version=7, when=WHEN, until=WHEN + timedelta(days=9), amd=True)

    found = msgspec.structs.replace(predicted(), snp=(Launched(cpu="EPYC-v4", cpus=2, digest=b"\x11" * 48),))
    said = corim.authenticate(corim.parse(made(found)), {spki: key.public_key()}, Trail())
    assert said.values == (Value("snp", "MEASUREMENT", "sha-384", b"\x11" * 48, "EPYC-v4, 2 processors"),)
    with pytest.raises(Misused, match="no SNP digest"):
        made(predicted())
