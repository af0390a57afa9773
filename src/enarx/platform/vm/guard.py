# SPDX-License-Identifier: Apache-2.0
"""Started between a launcher and QEMU or swtpm: takes away what they do not need, and cleans up after them.

Run as a program with one JSON argument, so that nothing of the launcher is in its memory. It
unshares namespaces, builds a root of bound read-only folders, drops to a user that owns nothing, and
starts the program. It lives as long as the program; when the launcher dies it ends the program.
Imports the standard library only.
"""

# ruff: noqa: PTH101, PTH103, PTH106, PTH112, PTH114, PTH115, PTH120, PTH123, PTH211 - it starts in half the time without pathlib
from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn

_libc = ctypes.CDLL(None, use_errno=True)
_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2
_SYS_PIVOT_ROOT = 155
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_DUMPABLE = 1, 38, 24, 4
NOBODY = 65534
_LAST_CAPABILITY = 63
_PUNCH_HOLE = 1 | 2
"""linux/falloc.h: FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE; pages go out of every mapping of the file."""
_SPARE, _PAGE = 1 << 20, 4096
_TRIES, _PAUSE = 100, 0.02


def main(order: dict[str, Any]) -> int:
    """Carry out one order; returns the exit code of the program, 128 + N for a signal N.

    argv      the program
    keep      descriptors that it inherits
    life      a descriptor that the launcher holds the other end of: it ends when the launcher does, and a
              byte says that the program has read what it loads
    report    a descriptor for one JSON line: what protects the program, and what could not
    binds     host path, path inside, "ro", "rw" or "load" (a copy, whose memory is given back once it was read);
              where the root cannot be changed argv gets the host's path
    folders   writable folders inside, gone when the program is
    groups    control group folders to join
    limits    "memory", "cpu_seconds" for rlimits
    """
    applied: list[str] = []
    missing: dict[str, str] = {}
    # Held open: below the new root the hierarchy is not to be seen.
    groups = [_Group(folder) for folder in order["groups"]]
    for group in groups:
        _try(applied, missing, f"cgroup {group.controller}", group.enter)
    loads: list[int] = []
    root = os.geteuid() == 0
    flags = _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET | (0 if root else _NEWUSER)
    if _try(applied, missing, "namespaces", lambda: _unshare(flags, root=root)):
        _try(applied, missing, "root", lambda: _change_root(order["binds"], order["folders"], loads))
    if "root" not in applied:
        outside = {inside: source for source, inside, _ in order["binds"]}
        order["argv"] = [outside.get(word, word) for word in order["argv"]]
    child = os.fork()
    if child == 0:
        _become(order, applied, missing, drop=root)
    for number in (*order["keep"], order["report"]):
        os.close(number)
    return _watch(child, order["life"], groups, loads)


def _try(applied: list[str], missing: dict[str, str], name: str, act: Any) -> bool:
    try:
        act()
    except OSError as error:
        missing[name] = f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
        return False
    applied.append(name)
    return True


def _call(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


class _Group:
    """A control group that is entered, and removed when this process is the last in it."""

    def __init__(self, folder: str) -> None:
        above, self.name = os.path.split(folder)
        self.controller = folder.removeprefix("/sys/fs/cgroup/").partition("/")[0]
        self._own = os.open(f"{folder}/cgroup.procs", os.O_WRONLY)
        self._above = os.open(above, os.O_RDONLY | os.O_DIRECTORY)
        self._out = -1
        with contextlib.suppress(OSError):
            self._out = os.open(f"{above}/cgroup.procs", os.O_WRONLY)

    def enter(self) -> None:
        os.write(self._own, b"0")

    def leave(self) -> None:
        """Ended threads take a moment to go."""
        with contextlib.suppress(OSError):
            os.write(self._out, b"0")
        for _ in range(_TRIES):
            try:
                os.rmdir(self.name, dir_fd=self._above)
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(_PAUSE)
            else:
                return


def _unshare(flags: int, *, root: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    _call(_libc.unshare(flags), "unshare")
    if not root:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _call(result, target)


def _change_root(binds: list[list[str]], folders: list[str], loads: list[int]) -> None:
    _mount("none", "/", "none", _MS_REC | _MS_PRIVATE)
    # Held open first: the new root may hide the paths.
    sources = {source: os.open(source, os.O_PATH) for source, _, _ in binds}
    top = "/tmp"  # noqa: S108 - a mount point in a namespace of its own
    _mount("enarx", top, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=16m")
    for source, inside, access in binds:
        target = top + inside
        if os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
        if access == "load":
            loads.append(_copied(sources[source], target))
        else:
            _mount(f"/proc/self/fd/{sources[source]}", target, "none", _MS_BIND)
        if access != "rw":
            _mount("none", target, "none", _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    for number in sources.values():
        os.close(number)
    for link in ("bin", "lib", "lib64", "sbin"):
        if os.path.islink(f"/{link}"):
            os.symlink(os.readlink(f"/{link}"), f"{top}/{link}")
    for folder in folders:
        os.makedirs(top + folder, exist_ok=True)
        os.chmod(top + folder, 0o777)  # noqa: S103 - nobody else is in this namespace
    os.makedirs(f"{top}/.old")
    os.chdir(top)
    _call(_libc.syscall(_SYS_PIVOT_ROOT, b".", b".old"), "pivot_root")
    os.chdir("/")
    _call(_libc.umount2(b"/.old", _MNT_DETACH), "umount")
    os.rmdir("/.old")
    if not folders:
        _mount("none", "/", "none", _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _copied(source: int, target: str) -> int:
    """Bind a copy in memory; returns a descriptor through which that memory can be given back."""
    folder = f"{os.path.dirname(target)}/.load"
    os.makedirs(folder)
    with open(f"/proc/self/fd/{source}", "rb") as file:
        size = os.fstat(file.fileno()).st_size
        _mount("enarx", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, f"mode=0700,size={size + _SPARE}")
        copy = os.open(f"{folder}/copy", os.O_CREAT | os.O_RDWR, 0o444)
        while os.sendfile(copy, file.fileno(), None, size):
            pass
    _mount(f"/proc/self/fd/{copy}", target, "none", _MS_BIND)
    _call(_libc.umount2(folder.encode(), _MNT_DETACH), "umount")
    os.rmdir(folder)
    return copy


def _give_back(loads: list[int]) -> None:
    while loads:
        copy = loads.pop()
        # To the end of the last page: a part of one would be zeroed and kept.
        size = os.fstat(copy).st_size + _PAGE & -_PAGE
        _libc.fallocate(copy, _PUNCH_HOLE, ctypes.c_long(0), ctypes.c_long(size))
        os.close(copy)


def _become(order: dict[str, Any], applied: list[str], missing: dict[str, str], *, drop: bool) -> NoReturn:
    """In the child: drop everything and run the program."""
    try:
        os.setsid()
        _try(applied, missing, "rlimits", lambda: _limit(order["limits"]))
        for capability in range(_LAST_CAPABILITY):
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        if drop:
            _try(applied, missing, "user", _drop_user)
        _call(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
        # After the change of user, which resets it. In a PID namespace of its own the program dies with us anyway.
        _call(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent death signal")
        for number in order["keep"]:
            os.set_inheritable(number, True)
        said = json.dumps({"applied": applied, "missing": missing}).encode()
        os.write(order["report"], said + b"\n")
        os.close(order["report"])
        os.execve(order["argv"][0], order["argv"], {"PATH": "/usr/bin", "LC_ALL": "C"})  # noqa: S606 - that is the point
    except OSError as error:
        sys.stderr.write(f"{order['argv'][0]}: {error.strerror}\n")
    finally:
        os._exit(127)


def _drop_user() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _limit(limits: dict[str, int]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    if limits.get("cpu_seconds"):
        resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 1))
    if limits.get("memory"):
        resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))


def _watch(child: int, life: int, groups: list[_Group], loads: list[int]) -> int:
    """Wait for the program, or for the launcher's end, which ends the program."""
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([ended, life], [], [])
    while ended not in ready and os.read(life, 1):
        _give_back(loads)
        ready, _, _ = select.select([ended, life], [], [])
    if ended not in ready:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    for group in groups:
        group.leave()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(_number, signal.SIG_IGN)
    sys.exit(main(json.loads(sys.argv[1])))
