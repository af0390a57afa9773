"""The machine as a value, and the command lines that it means, for backends that no one here can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from enarx.errors import Misused, Reason
from enarx.platform.vm.plan import Accelerator, Descriptors, Files, Plan, Snp, Tdx, argv
from enarx.platform.vm.shape import Boot

GOLDEN = Path(__file__).parent / "golden"
FILES = Files(kernel="/image/vmlinuz", initrd="/image/initrd.lz4", command_line="quiet", firmware="/image/OVMF.fd")
DIRECT = Files(kernel="/image/vmlinux", initrd="/image/initrd.lz4", command_line="quiet")
NUMBERS = Descriptors(console=3, control=4, streams=5)
DIGEST = bytes(range(32))
PLANS = {
    "tcg-qemu7": {"accelerator": Accelerator.TCG, "boot": Boot.DIRECT, "files": DIRECT, "qemu": (7, 2)},
    "tcg-qemu10": {"accelerator": Accelerator.TCG, "boot": Boot.DIRECT, "files": DIRECT, "qemu": (10, 0)},
    "tcg-measured-qemu10": {
        "accelerator": Accelerator.TCG,
        "boot": Boot.MEASURED,
        "files": FILES,
        "qemu": (10, 0),
        "descriptors": Descriptors(console=3, control=4, streams=5, tpm=6),
    },
    "kvm-qemu10": {"accelerator": Accelerator.KVM, "boot": Boot.DIRECT, "files": DIRECT, "qemu": (10, 0), "cpus": 2},
    "snp-qemu10": {
        "accelerator": Accelerator.SNP,
        "boot": Boot.HASHED,
        "files": FILES,
        "qemu": (10, 0),
        "memory_mb": 1024,
        "snp": Snp(host_data=DIGEST),
    },
    "snp-qemu11": {
        "accelerator": Accelerator.SNP,
        "boot": Boot.HASHED,
        "files": FILES,
        "qemu": (11, 1),
        "snp": Snp(host_data=DIGEST, cbitpos=47, cpu="EPYC-Milan-v2"),
    },
    "tdx-qemu11": {
        "accelerator": Accelerator.TDX,
        "boot": Boot.HASHED,
        "files": FILES,
        "qemu": (11, 1),
        "tdx": Tdx(mrconfigid=DIGEST, quote_socket="/run/qgs.socket"),
    },
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_means_exactly_this_command_line(name: str) -> None:
    plan = Plan(**{"descriptors": NUMBERS, **PLANS[name]})
    assert (GOLDEN / f"{name}.txt").read_text(encoding="utf-8").splitlines() == argv(plan)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("snp-qemu10", {"qemu": (9, 0)}, Reason.BACKEND_UNAVAILABLE),
        ("tdx-qemu11", {"qemu": (10, 0)}, Reason.BACKEND_UNAVAILABLE),
        ("tcg-measured-qemu10", {"qemu": (7, 2)}, Reason.BACKEND_UNAVAILABLE),
        ("tcg-qemu10", {"memory_mb": 64}, Reason.UNKNOWN_VALUE),
        ("tcg-qemu10", {"snp": Snp(host_data=b"")}, Reason.INCONSISTENT),
        ("snp-qemu10", {"snp": None}, Reason.INCONSISTENT),
        ("snp-qemu10", {"boot": Boot.DIRECT}, Reason.INCONSISTENT),
        ("tcg-measured-qemu10", {"descriptors": NUMBERS}, Reason.INCONSISTENT),
    ],
)
def test_a_plan_that_no_qemu_can_carry_out_is_refused(name: str, change: dict[str, object], reason: Reason) -> None:
    with pytest.raises(Misused) as caught:
        Plan(**{"descriptors": NUMBERS, **PLANS[name], **change})
    assert reason == caught.value.reason


@pytest.mark.parametrize("name", PLANS)
def test_no_machine_has_a_disk_a_network_or_a_display(name: str) -> None:
    line = argv(Plan(**{"descriptors": NUMBERS, **PLANS[name]}))
    devices = [line[at + 1] for at, word in enumerate(line) if word == "-device"]
    assert {"-drive", "-netdev", "-nic", "-hda", "-blockdev", "-vnc", "-usb"}.isdisjoint(line)
    assert {"virtio-serial-pci", "virtserialport", "tpm-crb"} >= {device.split(",")[0] for device in devices}
    assert ["none"] == [line[at + 1] for at, word in enumerate(line) if word == "-display"]


def test_a_launch_digest_stands_in_the_field_that_the_tee_shows() -> None:
    import base64

    snp = " ".join(argv(Plan(**{"descriptors": NUMBERS, **PLANS["snp-qemu10"]})))
    tdx = " ".join(argv(Plan(**{"descriptors": NUMBERS, **PLANS["tdx-qemu11"]})))
    assert f"host-data={base64.b64encode(DIGEST).decode()}" in snp
    assert base64.b64encode(DIGEST + bytes(16)).decode() in tdx
    with pytest.raises(Misused):
        argv(Plan(**{"descriptors": NUMBERS, **PLANS["snp-qemu10"], "snp": Snp(host_data=bytes(33))}))
