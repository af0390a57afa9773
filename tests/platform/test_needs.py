# SPDX-License-Identifier: Apache-2.0
"""What a machine has, from what was found on it. The machines here are made up; their registers are not:
the fields stand where AMD's and Intel's manuals put them."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from enarx.platform import needs
from enarx.platform.kind import Backend
from enarx.platform.needs import Datum, Finding, Machine, Seen

HERE = Seen(there=True, readable=True, writable=True)


def vendor(name: bytes) -> tuple[int, int, int, int]:
    b, d, c = struct.unpack("<3I", name)
    return 0x20, b, c, d


def brand(name: bytes) -> dict[tuple[int, int], tuple[int, int, int, int]]:
    words = struct.unpack("<12I", name.ljust(48, b"\0"))
    found: dict[tuple[int, int], Any] = {(0x80000002 + at, 0): words[at * 4 : at * 4 + 4] for at in range(3)}
    return {**found, (0x80000000, 0): (0x80000021, 0, 0, 0)}


EPYC = Machine(
    system="Linux",
    cpuid={
        (0, 0): vendor(b"AuthenticAMD"),
        (1, 0): (0, 0, 1 << 30, 0),
        (7, 0): (0, 1, 0, 0),
        **brand(b"AMD EPYC 9354P 32-Core Processor"),
        # SME, SEV, page flush MSR, SNP; C-bit 51, five bits fewer; 509 guests; first ASID 100
        (0x8000001F, 0): (0b10111, 51 | 5 << 6, 509, 100),
    },
    paths=dict.fromkeys((needs.SEV, needs.KVM, needs.AMD_VCEK, needs.AMD_CRL), HERE),
    switches={needs.SEV_SNP: "Y"},
    kvm_api=12,
    memlock=16 << 20,
)
XEON = Machine(
    system="Linux",
    cpuid={
        (0, 0): vendor(b"GenuineIntel"),
        (7, 0): (0, 1 << 2 | 1, 1 << 30, 0),
        **brand(b"Intel(R) Xeon(R) Gold 6338"),
        (0x12, 0): (0b11, 1, 0, 36 << 8 | 31),
        (0x12, 1): (0x36, 0, 0x2E7, 0),
        (0x12, 2): (1, 0, 0xC000_0001, 1),
        (0x12, 3): (1, 0, 0x4000_0001, 0),
    },
    paths=dict.fromkeys((needs.SGX, needs.INTEL_CRL, needs.INTEL_TCB, needs.AESM), HERE),
)


def of(machine: Machine, backend: Backend) -> Finding:
    return next(one for one in needs.findings(machine) if one.backend is backend)


def said(machine: Machine, backend: Backend, name: str) -> Datum:
    finding = of(machine, backend)
    return next(one for one in (*finding.data, *finding.config) if one.name.strip() == name)


def test_a_machine_with_snp_has_it_and_a_bare_one_has_only_a_process() -> None:
    assert [one.backend for one in needs.findings(EPYC) if one.available()] == ["sev", "kvm", "nil"]
    assert of(EPYC, Backend.SEV).configured()
    assert [one.backend for one in needs.findings(Machine(system="")) if one.available()] == ["nil"]


def test_a_machine_with_sgx_has_it() -> None:
    assert [one.backend for one in needs.findings(XEON) if one.available()] == ["sgx", "nil"]
    assert of(XEON, Backend.SGX).configured()


@pytest.mark.parametrize(
    ("name", "info"),
    [
        ("CPU", "AMD EPYC 9354P 32-Core Processor"),
        # upstream shifted before it masked, and said 0
        ("Physical address bit reduction", "5"),
        ("C-bit location in page table entry", "51"),
        ("Number of encrypted guests supported simultaneously", "509"),
        ("Minimum ASID value for SEV-enabled, SEV-ES disabled guest", "100"),
        ("API Version", "12"),
        ("MEMLOCK rlimit allows for", "3 keeps"),
    ],
)
def test_sevs_numbers_are_read_from_their_fields(name: str, info: str) -> None:
    assert said(EPYC, Backend.SEV, name).info == info


@pytest.mark.parametrize(
    ("name", "info"),
    [
        ("Max Size (32-bit)", "2 GiB"),
        ("Max Size (64-bit)", "64 GiB"),
        ("MiscSelect", "0x00000001"),
        ("Features", "0x0000000000000036"),
        ("Xfrm", "0x00000000000002e7"),
        ("EPC Size", "8 GiB"),
    ],
)
def test_sgxs_numbers_are_read_from_their_fields(name: str, info: str) -> None:
    assert said(XEON, Backend.SGX, name).info == info


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"switches": {needs.SEV_SNP: "N"}}, "SEV-SNP is enabled in host kernel"),
        ({"switches": {}}, "SEV-SNP is enabled in host kernel"),
        ({"paths": {needs.KVM: HERE}}, "Driver"),
        ({"kvm_api": None}, "API Version"),
        ({"kvm_api": 11}, "API Version"),
        ({"memlock": 1 << 20}, "MEMLOCK rlimit allows for"),
        ({"paths": {**EPYC.paths, needs.SEV: Seen(there=True, readable=True)}}, "/dev/sev is writable by user"),
    ],
)
def test_one_thing_missing_is_said(changed: dict[str, Any], name: str) -> None:
    import msgspec

    machine = msgspec.structs.replace(EPYC, **changed)
    finding = of(machine, Backend.SEV)
    assert not (finding.available() and finding.configured())
    assert name in {one.name.strip() for one in (*finding.data, *finding.config) if not one.passed}


def test_no_limit_on_locked_memory_is_any_number_of_keeps() -> None:
    import msgspec

    datum = said(msgspec.structs.replace(EPYC, memlock=None), Backend.SEV, "MEMLOCK rlimit allows for")
    assert (datum.passed, datum.info) == (True, "any number of keeps")


def test_the_json_nests_by_leading_spaces_and_says_null_in_words() -> None:
    """Upstream's dummy backend, in its shape."""
    dummy = Finding(
        Backend.NIL,
        (
            Datum("a", True, "x"),
            Datum(" b", False, None, "mend"),
            Datum("  c", True),
            Datum(" d", True),
            Datum("e", True),
        ),
        (Datum("left out", False),),
    )

    def node(name: str, passed: bool, info: str, mesg: str, *data: Any) -> dict[str, Any]:
        return {"name": name, "pass": passed, "info": info, "mesg": mesg, "data": list(data)}

    assert dummy.table() == {
        "backend": "nil",
        "data": [
            node(
                "a", True, "x", "null",
                node("b", False, "null", "mend", node("c", True, "null", "null")),
                node("d", True, "null", "null"),
            ),
            node("e", True, "null", "null"),
        ],
    }  # fmt: skip


def test_registers_beyond_the_highest_leaf_are_not_believed() -> None:
    """A CPU answers such a leaf with the registers of another one (Intel SDM volume 2A, CPUID)."""
    machine = Machine(system="", cpuid={(0, 0): (5, 0, 0, 0), (7, 0): (0, 0xFFFFFFFF, 0, 0)})
    assert machine.leaf(7) == (0, 0, 0, 0)
