# SPDX-License-Identifier: Apache-2.0
"""Building the firmware for SEV-SNP from Debian's edk2 source: OVMF with a table for the kernel's hashes.

Debian ships none: with its OVMF a launch would not measure kernel, initramfs and command line. The
build is in one fixed folder, because edk2 writes its path into the image; the same source, folder and
compiler give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from enarx.errors import Faulty, Misused, Reason, Undetermined

FOLDER = Path("/var/tmp/enarx-firmware")  # noqa: S108 - one fixed folder, made new and owned by us
TOOLS = {"gcc": "gcc", "g++": "g++", "make": "make", "nasm": "nasm", "iasl": "acpica-tools", "patch": "patch"}
PLATFORM = "OvmfPkg/AmdSev/AmdSevX64.dsc"
_PREBUILD = "PREBUILD                       = sh OvmfPkg/AmdSev/Grub/grub.sh"
_OUTPUT = "Build/AmdSev/RELEASE_GCC/FV/OVMF.fd"
_PATIENCE = 3600.0


def build(source: Path, debian: Path, *, say: Callable[[str], None], jobs: int) -> bytes:
    """The firmware, from the two tar archives of Debian's source package."""
    _require_tools()
    if FOLDER.exists() and FOLDER.stat().st_uid != os.geteuid():
        raise Misused(Reason.FILE_UNWRITABLE, f"{FOLDER} is somebody else's")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(mode=0o700)
    tree = FOLDER / "edk2"
    tree.mkdir()
    try:
        _run(["tar", "xf", str(source), "--strip-components=1", "-C", str(tree)], FOLDER)
        _run(["tar", "xf", str(debian), "-C", str(tree)], FOLDER)
        _patch(tree)
        environment = _environment(tree)
        say("building edk2's tools")
        _run(["make", "-C", "BaseTools", f"-j{jobs}"], tree, environment)
        say("building OVMF for SEV-SNP; this takes minutes")
        command = ["build", "-a", "X64", "-t", "GCC", "-b", "RELEASE", "-p", PLATFORM, "-n", str(jobs), "-q"]
        _run(["bash", str(tree / "BaseTools/BinWrappers/PosixLike" / command[0]), *command[1:]], tree, environment)
        return (tree / _OUTPUT).read_bytes()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)


def _require_tools() -> None:
    missing = [package for program, package in TOOLS.items() if shutil.which(program) is None]
    if not Path("/usr/include/uuid/uuid.h").exists():
        missing.append("uuid-dev")
    if missing:
        raise Misused(
            Reason.BACKEND_UNAVAILABLE,
            f"building firmware needs {', '.join(missing)}",
            hint=f"apt-get install --no-install-recommends {' '.join(missing)}",
        )


def _patch(tree: Path) -> None:
    patches = tree / "debian" / "patches"
    for name in (patches / "series").read_text(encoding="utf-8").split():
        _run(["patch", "-s", "-p1", "-i", str(patches / name)], tree)
    # The platform would embed a GRUB, which QEMU's kernel makes needless: an empty file stands for it.
    platform = tree / PLATFORM
    text = platform.read_text(encoding="utf-8")
    if _PREBUILD not in text:
        raise Faulty(Reason.INCONSISTENT, f"edk2: {PLATFORM} has changed")
    platform.write_text(text.replace(_PREBUILD, ""), encoding="utf-8")
    (tree / "OvmfPkg/AmdSev/Grub/grub.efi").touch()


def _environment(tree: Path) -> dict[str, str]:
    templates = tree / "BaseTools" / "Conf"
    (tree / "Conf").mkdir(exist_ok=True)
    for name in ("target", "tools_def", "build_rule"):
        shutil.copy(templates / f"{name}.template", tree / "Conf" / f"{name}.txt")
    return {
        "WORKSPACE": str(tree),
        "EDK_TOOLS_PATH": str(tree / "BaseTools"),
        "CONF_PATH": str(tree / "Conf"),
        "PYTHON_COMMAND": sys.executable,
        "PYTHONHASHSEED": "1",
        "PATH": f"{tree}/BaseTools/BinWrappers/PosixLike:/usr/bin:/bin",
        "LC_ALL": "C",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": "0",
    }


def _run(command: list[str], cwd: Path, environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise Undetermined(Reason.TIMED_OUT, command[0]) from None
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        told = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
        raise Faulty(Reason.INTERNAL, f"firmware: {Path(command[0]).name}: {told[:300]}")
