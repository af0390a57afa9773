# SPDX-License-Identifier: Apache-2.0
"""What each kind of Keep needs of a machine, and whether a machine has it. Pure: the machine comes in.

Names and order are upstream's; leading spaces in a name say what it belongs to.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from enarx.platform.kind import Backend

KVM_API = 12
"""linux/kvm.h: KVM_API_VERSION, the same since 2007."""
KEEP_LOCKED = 5 << 20
"""Bytes that one Keep locks in memory (upstream)."""
INTEL_CRL, INTEL_TCB = "/var/cache/intel-sgx/crls.der", "/var/cache/intel-sgx/tcb"
AMD_CRL, AMD_VCEK = "/var/cache/amd-sev/crls.der", "/var/cache/amd-sev/vcek"
AESM = "/var/run/aesmd/aesm.socket"
SGX, SEV, KVM, NITRO = "/dev/sgx_enclave", "/dev/sev", "/dev/kvm", "/dev/nitro_enclaves"
SEV_SNP, TDX = "/sys/module/kvm_amd/parameters/sev_snp", "/sys/module/kvm_intel/parameters/tdx"

PATHS = (INTEL_CRL, INTEL_TCB, AMD_CRL, AMD_VCEK, AESM, SGX, SEV, KVM, NITRO)
SWITCHES = (SEV_SNP, TDX)
LEAVES = (
    (0, 0), (1, 0), (7, 0), *((0x12, sub) for sub in range(2, 10)), (0x12, 0), (0x12, 1),
    *((0x80000000 + leaf, 0) for leaf in (0, 2, 3, 4, 0x1F)),
)  # fmt: skip
"""CPUID leaves and subleaves that are looked at."""

Registers = tuple[int, int, int, int]
NONE: Registers = (0, 0, 0, 0)


class Seen(msgspec.Struct, frozen=True):
    """One path: whether it is there, and whether this user may read and write it."""

    there: bool = False
    readable: bool = False
    writable: bool = False


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What was found on a machine.

    system    uname, one line
    cpuid     (leaf, subleaf) -> EAX, EBX, ECX, EDX; empty where the CPU has no CPUID
    paths     of `PATHS`
    switches  of `SWITCHES`: the parameter's text, absent where the kernel has no such parameter
    kvm_api   what /dev/kvm answers, or None
    memlock   bytes that this process may lock; None is no limit
    """

    system: str
    cpuid: dict[tuple[int, int], Registers] = {}
    paths: dict[str, Seen] = {}
    switches: dict[str, str] = {}
    kvm_api: int | None = None
    memlock: int | None = 0

    def leaf(self, leaf: int, sub: int = 0) -> Registers:
        """The registers of a CPUID leaf; zeros for one that the CPU has not got."""
        top = self.cpuid.get((leaf & 0x80000000, 0), NONE)[0]
        return self.cpuid.get((leaf, sub), NONE) if leaf <= top else NONE

    def seen(self, path: str) -> Seen:
        """What is known of a path."""
        return self.paths.get(path, Seen())

    def vendor(self) -> str:
        """Who made the CPU, as it says itself."""
        _, b, c, d = self.leaf(0)
        return struct.pack("<3I", b, d, c).decode("ascii", "replace").strip("\0")

    def brand(self) -> str:
        """The CPU's name, as it says itself."""
        registers = [value for leaf in (2, 3, 4) for value in self.leaf(0x80000000 + leaf)]
        return struct.pack("<12I", *registers).split(b"\0")[0].decode("ascii", "replace").strip()


class Datum(msgspec.Struct, frozen=True):
    """One thing that is looked at. `name` begins with one space for each level."""

    name: str
    passed: bool
    info: str | None = None
    mesg: str | None = None


class Finding(msgspec.Struct, frozen=True):
    """What one kind of Keep needs: `data` of the machine, `config` of how it is set up."""

    backend: Backend
    data: tuple[Datum, ...] = ()
    config: tuple[Datum, ...] = ()

    def available(self) -> bool:
        """The machine has it."""
        return all(one.passed for one in self.data)

    def configured(self) -> bool:
        """The machine is set up for it."""
        return all(one.passed for one in self.config)

    def table(self) -> dict[str, Any]:
        """Upstream's JSON: nested by leading spaces, "null" in words, set-up left out."""
        levels: list[list[dict[str, Any]]] = [[]]
        for one in self.data:
            depth = min(len(one.name) - len(one.name.lstrip(" ")), len(levels) - 1)
            said = {
                "name": one.name.strip(),
                "pass": one.passed,
                "info": one.info or "null",
                "mesg": one.mesg or "null",
            }
            below: list[dict[str, Any]] = []
            levels[depth].append({**said, "data": below})
            levels[depth + 1 :] = [below]
        return {"backend": str(self.backend), "data": levels[0]}


def findings(machine: Machine) -> tuple[Finding, ...]:
    """What the machine has and lacks for each kind, best kind first."""
    return (_sgx(machine), _sev(machine), _tdx(machine), _nitro(machine), _kvm(machine), Finding(Backend.NIL))


def _bit(register: int, bit: int) -> bool:
    return bool(register >> bit & 1)


def _driver(machine: Machine, path: str) -> Datum:
    return Datum("Driver", machine.seen(path).there, path)


def _cpu(machine: Machine, vendor: str = "") -> Datum:
    return Datum("CPU", bool(machine.cpuid) and vendor in machine.vendor(), machine.brand() or machine.vendor() or None)


def _kvm_driver(machine: Machine) -> tuple[Datum, ...]:
    api = machine.kvm_api
    return _driver(machine, KVM), Datum(" API Version", api == KVM_API, None if api is None else str(api))


def _cache(machine: Machine, name: str, path: str, mend: str) -> Datum:
    there = machine.seen(path).readable
    return Datum(name, there, path if there else None, None if there else mend)


def _sgx(machine: Machine) -> Finding:
    features, about, attributes = machine.leaf(7), machine.leaf(0x12, 0), machine.leaf(0x12, 1)
    sgx = _bit(features[1], 2)
    size = about[3] if sgx else 0
    pages = sum(_section(machine.leaf(0x12, sub)) for sub in range(2, 10)) if sgx else 0
    data = (
        _driver(machine, SGX),
        _cpu(machine, "GenuineIntel"),
        Datum(" SGX Support", sgx),
        Datum("  Version 1", sgx and _bit(about[0], 0)),
        Datum("  Version 2", sgx and _bit(about[0], 1)),
        Datum("  FLC Support", sgx and _bit(features[2], 30)),
        Datum("  Max Size (32-bit)", sgx, _size(1 << (size & 0xFF)) if sgx else None),
        Datum("  Max Size (64-bit)", sgx, _size(1 << (size >> 8 & 0xFF)) if sgx else None),
        Datum("  MiscSelect", sgx, f"{about[1]:#010x}" if sgx else None),
        Datum("  Features", sgx, f"{attributes[1] << 32 | attributes[0]:#018x}" if sgx else None),
        Datum("  Xfrm", sgx, f"{attributes[3] << 32 | attributes[2]:#018x}" if sgx else None),
        Datum("  EPC Size", pages > 0, _size(pages) if pages else None),
        _cache(machine, "Intel CRL cache file", INTEL_CRL, "Intel's CRLs are not cached"),
        _cache(machine, "Intel TCB cache", INTEL_TCB, "Intel's TCB information is not cached"),
    )
    aesm = machine.seen(AESM).there
    return Finding(
        Backend.SGX, data, (Datum("AESM Daemon Socket", aesm, AESM, None if aesm else "aesmd does not run"),)
    )


def _section(registers: Registers) -> int:
    """Bytes of an EPC section (Intel SDM volume 3D, table 37-6): type 1 in EAX, size in ECX and EDX."""
    a, _, c, d = registers
    return (d & 0xFFFFF) << 32 | c & 0xFFFFF000 if a & 0xF == 1 else 0


def _sev(machine: Machine) -> Finding:
    a, b, c, d = machine.leaf(0x8000001F)
    brand, sev = machine.brand(), _bit(a, 1)
    data = (
        _driver(machine, SEV),
        Datum(" SEV-SNP is enabled in host kernel", machine.switches.get(SEV_SNP) in {"Y", "1"}),
        *_kvm_driver(machine),
        _cpu(machine, "AuthenticAMD"),
        Datum(" Microcode support", "EPYC" in brand, brand or None),
        Datum(" Secure Memory Encryption (SME)", _bit(a, 0)),
        # AMD64 APM volume 3, Fn8000_001F: EBX[11:6], which upstream shifted before it masked
        Datum("  Physical address bit reduction", _bit(a, 0), str((b & 0xFC0) >> 6) if _bit(a, 0) else None),
        Datum("  C-bit location in page table entry", _bit(a, 0), str(b & 0x3F) if _bit(a, 0) else None),
        Datum(" Secure Encrypted Virtualization (SEV)", sev),
        Datum("  Number of encrypted guests supported simultaneously", sev, str(c) if sev else None),
        Datum("  Minimum ASID value for SEV-enabled, SEV-ES disabled guest", sev, str(d) if sev else None),
        Datum(" Secure Encrypted Virtualization Secure Nested Paging (SEV-SNP)", _bit(a, 4)),
        Datum(" Page Flush MSR available", _bit(a, 2)),
    )
    device, keeps = machine.seen(SEV), None if machine.memlock is None else machine.memlock // KEEP_LOCKED
    config = (
        Datum("/dev/sev is readable by user", device.readable),
        Datum("/dev/sev is writable by user", device.writable),
        Datum(
            "MEMLOCK rlimit allows for",
            keeps is None or keeps > 0,
            "any number of keeps" if keeps is None else f"{keeps} keeps",
        ),
        _cache(machine, "SEV-SNP VCEK key cache file", AMD_VCEK, "AMD's certificate of this chip is not cached"),
        _cache(machine, "AMD CRL cache file", AMD_CRL, "AMD's CRLs are not cached"),
    )
    return Finding(Backend.SEV, data, config)


def _tdx(machine: Machine) -> Finding:
    enabled = Datum(" TDX is enabled in host kernel", machine.switches.get(TDX) in {"Y", "1"})
    return Finding(Backend.TDX, (*_kvm_driver(machine), enabled, _cpu(machine, "GenuineIntel")))


def _nitro(machine: Machine) -> Finding:
    return Finding(Backend.NITRO, (_driver(machine, NITRO),))


def _kvm(machine: Machine) -> Finding:
    data = (
        *_kvm_driver(machine),
        _cpu(machine),
        Datum(" CPU supports FSGSBASE instructions", _bit(machine.leaf(7)[1], 0)),
        Datum(" CPU supports RDRAND instruction", _bit(machine.leaf(1)[2], 30)),
    )
    return Finding(Backend.KVM, data)


def _size(count: int) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if count < 1024 or unit == "PiB":
            return f"{count} {unit}"
        count //= 1024
    return ""
