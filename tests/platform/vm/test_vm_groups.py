"""Control groups, on hierarchies made of plain folders: v2, v1, none."""

from __future__ import annotations

from pathlib import Path

from enarx.platform.vm.groups_store import bounds, made

OWN = "4:memory:/service\n3:pids:/\n1:cpu:/\n0::/user/session\n"


def own(folder: Path) -> Path:
    (folder / "own").write_text(OWN)
    return folder / "own"


def test_a_unified_hierarchy_bounds_by_a_sibling_of_the_launchers_group(tmp_path: Path) -> None:
    root = tmp_path / "fs"
    (root / "user" / "session").mkdir(parents=True)
    for folder in (root, root / "user"):
        (folder / "cgroup.controllers").write_text("cpu memory pids")
    groups = made(bounds(256, 1), root, own(tmp_path))
    (folder,) = map(Path, groups.folders)
    assert root / "user" == folder.parent
    assert ("memory", "cpu", "pids") == groups.controllers
    assert str((256 + 512) << 20) == (folder / "memory.max").read_text()


def test_separate_hierarchies_bound_below_the_launchers_groups(tmp_path: Path) -> None:
    root = tmp_path / "fs"
    for name in ("memory/service", "cpu", "pids"):
        (root / name).mkdir(parents=True)
    groups = made(bounds(256, 2), root, own(tmp_path))
    memory, cpu, _ = map(Path, groups.folders)
    assert root / "memory" / "service" == memory.parent
    assert "300000" == (cpu / "cpu.cfs_quota_us").read_text()


def test_what_the_host_does_not_have_is_named(tmp_path: Path) -> None:
    (tmp_path / "fs" / "pids").mkdir(parents=True)
    groups = made(bounds(256, 1), tmp_path / "fs", own(tmp_path))
    assert ("pids",) == groups.controllers
    assert {"cgroup memory", "cgroup cpu"} == set(groups.missing)


def test_what_a_killed_guard_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "fs" / "pids" / "enarx-0123456789ab"
    left.mkdir(parents=True)
    made(bounds(256, 1), tmp_path / "fs", own(tmp_path))
    assert not left.exists()
