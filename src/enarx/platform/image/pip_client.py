# SPDX-License-Identifier: Apache-2.0
"""Wheels for the image's interpreter, through the machine's own `pip`."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from enarx.errors import Misused, Reason, Undetermined
from enarx.platform.image.lock import Wheel

_PATIENCE = 600.0
PYTHON = "3.11"
_PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def download(wheels: Iterable[Wheel], into: Path) -> None:
    """Put wheels into a folder; pip checks each against its digest."""
    rows = [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}" for wheel in wheels]
    if rows:
        _download(rows, into)


def newest(pins: dict[str, str], into: Path) -> list[Path]:
    """The wheel of each name at its version, whatever its digest."""
    _download([f"{name}=={version}" for name, version in pins.items()], into)
    return sorted(into.glob("*.whl"))


def _download(rows: list[str], into: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "wheels.txt"
        listed.write_text("\n".join(rows) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]
        command += [
            "--abi",
            "cp311",
            "--abi",
            "abi3",
            "--abi",
            "none",
            "--dest",
            str(into),
            "--requirement",
            str(listed),
        ]
        for platform in _PLATFORMS:
            command += ["--platform", platform]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise Undetermined(Reason.TIMED_OUT, "pip download") from None
    if done.returncode:
        _explain(done.stderr)


def _explain(said: str) -> None:
    if "No module named pip" in said:
        raise Misused(Reason.BACKEND_UNAVAILABLE, "pip", hint=f"{sys.executable} -m ensurepip")
    errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
    what = re.sub(r"\w+://\S+", "…", errors[-1][7:]) if errors else "failed"
    raise Undetermined(
        Reason.NOT_FOUND, f"wheels of the image lock: {what}", hint="`enarx image update` moves the pins"
    )
