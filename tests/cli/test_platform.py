# SPDX-License-Identifier: Apache-2.0
"""What the command says of the very machine that the test runs on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from enarx.platform.device import look


def test_it_looks_at_this_machine(enarx: Any) -> None:
    found = json.loads(enarx("platform", "info", "-j").out)
    assert set(found) == {"version", "system_info", "backends"}
    assert os.uname().release in found["system_info"]
    backends = {one["backend"]: one["data"] for one in found["backends"]}
    assert list(backends) == ["sgx", "sev", "tdx", "nitro", "kvm", "nil"]
    assert backends["kvm"][0] == {
        "name": "Driver",
        "pass": Path("/dev/kvm").exists(),
        "info": "/dev/kvm",
        "mesg": "null",
        "data": backends["kvm"][0]["data"],
    }


def test_people_read_the_same(enarx: Any) -> None:
    lines = enarx("platform", "info").out.splitlines()
    assert lines[0].startswith("Enarx version ")
    assert lines[1].startswith("System Info: Linux ")
    assert "✔ Backend: nil" in lines


def test_a_terminal_without_the_signs_gets_others() -> None:
    command = [sys.executable, "-c", "from enarx.cli.main import entry; entry()", "platform", "info"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "+ Backend: nil" in ended.stdout.splitlines()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="CPUID is x86's")
def test_the_cpu_says_of_itself_what_the_kernel_says_of_it() -> None:
    machine = look()
    kernel = dict(
        (part.strip() for part in line.split(":", 1))
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if ":" in line
    )
    assert (machine.vendor(), machine.brand()) == (kernel["vendor_id"], kernel["model name"])
    flags = kernel["flags"].split()
    assert bool(machine.leaf(7)[1] & 1) == ("fsgsbase" in flags)
    assert bool(machine.leaf(1)[2] >> 30 & 1) == ("rdrand" in flags)
