# SPDX-License-Identifier: Apache-2.0
"""The guest's process gives up what it does not need, before it looks at the workload.

What wasm confines already, this confines again, for the day on which wasm does not: namespaces without
network, Landlock without files, a list of system calls, resource limits, no new privileges. Where
the kernel lacks one, `lock` names it, and the agent decides whether to go on.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Sequence
from struct import Struct

from enarx.runtime.guest.syscalls import AUDIT_ARCH, CONFINED, FOLDERS, LOADING, RUNNING

NEW_USER, NEW_NET, NEW_IPC, NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 4, 22, 38
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
PATH_BENEATH = 1
FS_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access to files each version of Landlock's interface knows (landlock(7))."""
NET_FROM, SCOPE_FROM = 4, 6
SPARE_FILES = 64

LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06
"""Classic BPF: load a word, compare it, test its bits, answer."""
NUMBER, ARCHITECTURE, THIRD_ARGUMENT = 0, 4, 32
ALLOW, DENY = 0x7FFF0000, 0x00050001
"""SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM."""
PROT_EXEC = 4
_INSTRUCTION = Struct("<HBBI")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def separate() -> list[str]:
    """No network, no shared memory of others; and no privilege over anything outside."""
    libc = ctypes.CDLL(None, use_errno=True)
    apart = NEW_NET | NEW_IPC | NEW_UTS
    done = libc.unshare(NEW_USER | apart) == 0 or libc.unshare(apart) == 0
    return [] if done else ["namespaces"]


def lock(folders: Sequence[int], most_files: int, cpu_seconds: int) -> list[str]:
    """Everything but the last system calls; the names of what this kernel lacks."""
    libc = ctypes.CDLL(None, use_errno=True)
    lacking = []
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    _limit(most_files, cpu_seconds)
    if not _landlock(libc, folders):
        lacking.append("landlock")
    allowed = RUNNING | LOADING | (FOLDERS if folders else frozenset())
    if not _seccomp(libc, allowed, confined=frozenset()):
        lacking.append("seccomp")
    return lacking


def close(folders: Sequence[int]) -> None:
    """What only loading needed: threads, and memory that is executable."""
    libc = ctypes.CDLL(None, use_errno=True)
    _seccomp(libc, RUNNING | (FOLDERS if folders else frozenset()), confined=CONFINED)


def _limit(most_files: int, cpu_seconds: int) -> None:
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, most_files + SPARE_FILES)
    if cpu_seconds > 0:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + cpu_seconds)


def _lower(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    # One second later, for a guest that ignores the first signal, the kernel sends SIGKILL.
    spare = 1 if kind == resource.RLIMIT_CPU else 0
    resource.setrlimit(kind, (bound, bound + spare if hard == resource.RLIM_INFINITY else min(bound + spare, hard)))


def _landlock(libc: ctypes.CDLL, folders: Sequence[int]) -> bool:
    """No file can be opened by path any more, below the given folders excepted."""
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    files = (1 << FS_BITS.get(version, 16)) - 1
    handled = Struct("<QQQ").pack(files, 3 if version >= NET_FROM else 0, 3 if version >= SCOPE_FROM else 0)
    size = 24 if version >= SCOPE_FROM else 16 if version >= NET_FROM else 8
    rules = libc.syscall(LANDLOCK_CREATE, ctypes.c_char_p(handled), ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    for folder in folders:
        beneath = Struct("<Qi").pack(files, folder)
        libc.syscall(LANDLOCK_ADD, rules, PATH_BENEATH, ctypes.c_char_p(beneath), 0)
    done = libc.syscall(LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)
    return bool(done == 0)


def _seccomp(libc: ctypes.CDLL, allowed: frozenset[int], *, confined: frozenset[int]) -> bool:
    """Deny every system call that is not listed; `confined` ones with PROT_EXEC too."""
    if not AUDIT_ARCH:
        return False
    raw = filter_program(allowed, confined)
    program = _Program(len(raw) // _INSTRUCTION.size, raw)
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def filter_program(allowed: frozenset[int], confined: frozenset[int]) -> bytes:
    """The BPF program: architecture, then number by number, then the third argument."""
    steps = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH),
        (RETURN, 0, 0, DENY),
        (LOAD, 0, 0, NUMBER),
    ]
    for number in sorted(confined):
        # not this call: skip five; this call: deny if its third argument has PROT_EXEC
        steps += [
            (JUMP_EQUAL, 0, 4, number),
            (LOAD, 0, 0, THIRD_ARGUMENT),
            (JUMP_SET, 0, 1, PROT_EXEC),
            (RETURN, 0, 0, DENY),
            (RETURN, 0, 0, ALLOW),
        ]
    for number in sorted(allowed - confined):
        steps += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    steps.append((RETURN, 0, 0, DENY))
    return b"".join(_INSTRUCTION.pack(*step) for step in steps)
