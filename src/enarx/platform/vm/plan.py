# SPDX-License-Identifier: Apache-2.0
"""A Keep's machine as a value, and the QEMU command line that starts it.

The devices are the ones that a Keep uses: a serial line for the kernel's log, one virtio-serial
controller with two ports, a TPM where the boot is measured. No disk, no network, no display, no USB.
Everything that QEMU opens is handed to it as an open descriptor or is a read-only file of the image.
"""

from __future__ import annotations

import base64
from enum import StrEnum

import msgspec

from enarx.errors import Misused, Reason
from enarx.platform.vm import ports
from enarx.platform.vm.shape import Boot


class Accelerator(StrEnum):
    """What runs the machine's instructions, and whether a TEE protects it."""

    TCG = "tcg"
    """Emulated: works everywhere, proves nothing."""
    KVM = "kvm"
    SNP = "snp"
    TDX = "tdx"


NEEDS_QEMU = {Accelerator.TCG: (7, 2), Accelerator.KVM: (7, 2), Accelerator.SNP: (9, 1), Accelerator.TDX: (10, 1)}
NEEDS_QEMU_MEASURED = (10, 0)
"""Before this, with OVMF, PCR 4 is of a kernel header that QEMU has patched."""
DEFAULT_MEMORY_MB, LEAST_MEMORY_MB = 256, 192
MB_PER_MB = 24
"""What a megabyte of package takes: itself in several places, and the compiler's work on a module."""
SNP_POLICY = 0x30000
"""SMT allowed and the reserved bit (SEV-SNP Firmware ABI, "Guest Policy"); debugging is off."""


def enough(package: int) -> int:
    """Megabytes for a machine whose package has this many bytes, as far as its size tells."""
    return DEFAULT_MEMORY_MB + MB_PER_MB * (package >> 20)


class Descriptors(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of the open sockets that QEMU inherits. `tpm` is swtpm's control channel."""

    console: int
    control: int
    streams: int
    tpm: int | None = None


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The image's files, as QEMU may open them."""

    kernel: str
    initrd: str
    command_line: str
    firmware: str = ""


class Snp(msgspec.Struct, frozen=True, kw_only=True):
    """What an SEV-SNP launch fixes. `host_data` is the launch digest; the C-bit is from CPUID 0x8000001F."""

    host_data: bytes
    cbitpos: int = 51
    reduced_phys_bits: int = 1
    cpu: str = "EPYC-v4"
    policy: int = SNP_POLICY


class Tdx(msgspec.Struct, frozen=True, kw_only=True):
    """What a TDX launch fixes. `mrconfigid` is the launch digest, zero-padded to 48 bytes."""

    mrconfigid: bytes
    quote_socket: str = ""
    """Where the host's quote generation service listens, or "" for none."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One machine."""

    accelerator: Accelerator
    boot: Boot
    files: Files
    descriptors: Descriptors
    qemu: tuple[int, int]
    program: str = "qemu-system-x86_64"
    memory_mb: int = DEFAULT_MEMORY_MB
    cpus: int = 1
    snp: Snp | None = None
    tdx: Tdx | None = None

    def __post_init__(self) -> None:
        least = max(NEEDS_QEMU[self.accelerator], NEEDS_QEMU_MEASURED if self.boot is Boot.MEASURED else (0, 0))
        if self.qemu < least:
            wanted, has = (".".join(map(str, version)) for version in (least, self.qemu))
            raise Misused(
                Reason.BACKEND_UNAVAILABLE, f"QEMU {has}: {self.accelerator}, {self.boot} boot needs {wanted}"
            )
        if self.memory_mb < LEAST_MEMORY_MB:
            raise Misused(Reason.UNKNOWN_VALUE, f"{self.memory_mb} MB of memory; a Keep needs {LEAST_MEMORY_MB}")
        tee = {Accelerator.SNP: self.snp is not None, Accelerator.TDX: self.tdx is not None}
        if any(there != (self.accelerator is one) for one, there in tee.items()):
            raise Misused(Reason.INCONSISTENT, f"launch fields of a TEE with {self.accelerator}")
        if (self.accelerator in tee) != (self.boot is Boot.HASHED):
            raise Misused(Reason.INCONSISTENT, f"{self.boot} boot with {self.accelerator}")
        if (self.descriptors.tpm is not None) != (self.boot is Boot.MEASURED):
            raise Misused(Reason.INCONSISTENT, f"{self.boot} boot and a TPM")


_BARE = "usb=off,sata=off,vmport=off,smbus=off,hpet=off,i8042=off,graphics=off"
_HOST = "mem-merge=off,dump-guest-core=off"
"""Merging equal pages is a side channel, and a core file would hold the Keep's memory."""
_EMULATED = "max,-erms,-fsrm"
"""Without the features that make a kernel copy by `rep movsb`, which is emulated byte by byte."""
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def argv(plan: Plan) -> list[str]:
    """The command that runs a plan."""
    line = [plan.program, "-name", "enarx-keep", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    line += ["-sandbox", _SANDBOX, *_machine(plan), "-smp", str(plan.cpus)]
    if plan.files.firmware:
        line += ["-bios", plan.files.firmware]
    line += ["-kernel", plan.files.kernel, "-initrd", plan.files.initrd, "-append", plan.files.command_line]
    line += _stream("console", plan.descriptors.console, "-serial", "chardev:console")
    line += ["-device", f"virtio-serial-pci,id=serial,max_ports=3{_shared(plan)}"]
    channels = {
        "control": (ports.CONTROL, plan.descriptors.control),
        "streams": (ports.STREAMS, plan.descriptors.streams),
    }
    for name, (port, number) in channels.items():
        line += _stream(name, number, "-device", f"virtserialport,chardev={name},name={port}")
    if plan.descriptors.tpm is not None:
        line += _stream("tpm", plan.descriptors.tpm, "-tpmdev", "emulator,id=tpm0,chardev=tpm")
        line += ["-device", "tpm-crb,tpmdev=tpm0"]
    return line


def _shared(plan: Plan) -> str:
    # A TEE's guest lets a device reach only the pages that it shares (VIRTIO_F_ACCESS_PLATFORM).
    return ",disable-legacy=on,iommu_platform=on" if plan.boot is Boot.HASHED else ""


def _stream(name: str, number: int, option: str, value: str) -> list[str]:
    return ["-chardev", f"socket,id={name},fd={number}", option, value]


def _machine(plan: Plan) -> list[str]:
    memory = ["-m", f"{plan.memory_mb}M"]
    match plan.accelerator:
        case Accelerator.TCG:
            return ["-machine", f"q35,{_BARE},{_HOST}", "-accel", "tcg,tb-size=64", "-cpu", _EMULATED, *memory]
        case Accelerator.KVM:
            return ["-machine", f"q35,{_BARE},{_HOST}", "-accel", "kvm", "-cpu", "host", *memory]
        case Accelerator.SNP:
            return [*_snp_machine(plan), *memory]
        case _:
            return [*_tdx_machine(plan), *memory]


def _snp_machine(plan: Plan) -> list[str]:
    snp = plan.snp or Snp(host_data=b"")
    machine = f"q35,{_BARE},{_HOST},kernel-irqchip=split,confidential-guest-support=sev0,memory-backend=ram1"
    memory = f"memory-backend-memfd,id=ram1,size={plan.memory_mb}M,share=true,prealloc=false"
    host_data = base64.b64encode(_padded(snp.host_data, 32)).decode()
    tee = f"sev-snp-guest,id=sev0,policy={snp.policy:#x},kernel-hashes=on,host-data={host_data},"
    tee += f"cbitpos={snp.cbitpos},reduced-phys-bits={snp.reduced_phys_bits}"
    return ["-machine", machine, "-accel", "kvm", "-cpu", snp.cpu, "-object", memory, "-object", tee]


def _tdx_machine(plan: Plan) -> list[str]:
    tdx = plan.tdx or Tdx(mrconfigid=b"")
    machine = f"q35,{_BARE},{_HOST},kernel-irqchip=split,confidential-guest-support=tdx"
    tee: dict[str, object] = {
        "qom-type": "tdx-guest",
        "id": "tdx",
        "sept-ve-disable": True,
        "mrconfigid": base64.b64encode(_padded(tdx.mrconfigid, 48)).decode(),
    }
    if tdx.quote_socket:
        tee["quote-generation-socket"] = {"type": "unix", "path": tdx.quote_socket}
    return ["-machine", machine, "-accel", "kvm", "-cpu", "host", "-object", msgspec.json.encode(tee).decode()]


def _padded(digest: bytes, size: int) -> bytes:
    if len(digest) > size:
        raise Misused(Reason.WRONG_LENGTH, f"launch digest of {len(digest)} bytes, at most {size}")
    return digest.ljust(size, b"\0")
