# SPDX-License-Identifier: Apache-2.0
"""Control groups of the host (v1 or v2, whatever there is) that bound a machine's memory, processors and processes."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
PREFIX = "enarx-"
_PERIOD = 100_000
"""Microseconds over which processor time is counted."""
QEMU_OVERHEAD_MB = 512
"""What QEMU itself needs beside the guest's memory, at most; emulation is the greedy one."""
MOST_PROCESSES = 64
_PATIENCE = 2.0


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What one machine may use of its host."""

    memory: int
    cpus: int
    processes: int = MOST_PROCESSES


class Groups(msgspec.Struct, frozen=True):
    """Folders to join, and by which controllers the machine is bounded. The guard removes the folders."""

    folders: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    missing: dict[str, str] = {}


def bounds(memory_mb: int, cpus: int) -> Bounds:
    """The bounds of a machine with so much guest memory."""
    return Bounds(memory=(memory_mb + QEMU_OVERHEAD_MB) << 20, cpus=cpus + 1)


def made(wanted: Bounds, root: Path = ROOT, own: Path = OWN) -> Groups:
    """Groups for one machine, as far as the host has them and lets us, below what bounds this process itself."""
    name = PREFIX + secrets.token_hex(6)
    places = _places(own)
    if (root / "cgroup.controllers").exists():
        # Processes and groups are not mixed in a unified hierarchy: the machine's group is this one's sibling.
        return _unified(root / places.get("", Path()).parent, name, wanted)
    return _separate(root, places, name, wanted)


def removed(groups: Groups) -> None:
    """Remove what a guard that was killed itself has left; what ends takes a moment to be gone."""
    until = time.monotonic() + _PATIENCE
    for folder in map(Path, groups.folders):
        while folder.exists() and time.monotonic() < until:
            try:
                folder.rmdir()
            except OSError:
                time.sleep(0.02)


def _places(own: Path) -> dict[str, Path]:
    """Controller to the group of this process, relative to the hierarchy's root; "" is the unified one."""
    found: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for line in own.read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            found.update({controller: Path(path.lstrip("/")) for controller in controllers.split(",")})
    return found


def _sweep(folder: Path) -> None:
    # What a guard that was killed by force left empty; one with processes in it cannot be removed.
    for left in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            left.rmdir()


def _unified(root: Path, name: str, wanted: Bounds) -> Groups:
    rows = {
        "memory": {"memory.max": str(wanted.memory), "memory.swap.max": "0"},
        "cpu": {"cpu.max": f"{wanted.cpus * _PERIOD} {_PERIOD}"},
        "pids": {"pids.max": str(wanted.processes)},
    }
    controllers = set((root / "cgroup.controllers").read_text(encoding="ascii").split())
    with contextlib.suppress(OSError):
        enabled = " ".join(f"+{one}" for one in rows if one in controllers)
        (root / "cgroup.subtree_control").write_text(enabled, encoding="ascii")
    return _written({one: (root / name, row) for one, row in rows.items()})


def _separate(root: Path, places: Mapping[str, Path], name: str, wanted: Bounds) -> Groups:
    rows = {
        "memory": {"memory.limit_in_bytes": str(wanted.memory)},
        "cpu": {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(wanted.cpus * _PERIOD)},
        "pids": {"pids.max": str(wanted.processes)},
    }
    return _written({one: (root / one / places.get(one, Path()) / name, row) for one, row in rows.items()})


def _written(rows: Mapping[str, tuple[Path, dict[str, str]]]) -> Groups:
    folders: dict[str, None] = {}
    controllers: list[str] = []
    missing: dict[str, str] = {}
    for controller, (folder, files) in rows.items():
        try:
            if not folder.parent.is_dir():
                raise FileNotFoundError(2, "the host has no such controller")
            _sweep(folder.parent)
            folder.mkdir(exist_ok=True)
            folders[str(folder)] = None
            for file, value in files.items():
                if (folder / file).exists() or not re.search(r"swap", file):
                    (folder / file).write_text(value, encoding="ascii")
        except OSError as error:
            missing[f"cgroup {controller}"] = str(error.strerror)
            continue
        controllers.append(controller)
    return Groups(tuple(folders), tuple(controllers), missing)
