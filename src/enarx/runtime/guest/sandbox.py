# SPDX-License-Identifier: Apache-2.0
"""The guest's process gives up what it does not need, before it looks at the workload.

`separate`, `lock` and `bound` come in this order, the first two long before a workload is known where
there is time; `close` is last, when code is loaded and nothing of the guest's has run.

What wasm confines already, this confines again, for the day on which wasm does not: namespaces without
network, Landlock without files, a list of system calls, resource limits, no new privileges. Where
the kernel lacks one, `lock` names it, and the agent decides whether to go on.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Sequence
from functools import cache
from struct import Struct

from enarx.runtime.guest.syscalls import AUDIT_ARCH, CONFINED, FOLDERS, LOADING, RUNNING, SECCOMP

NEW_USER, NEW_NET, NEW_IPC, NEW_UTS = 0x10000000, 0x40000000, 0x08000000, 0x04000000
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
SET_MODE_FILTER, FILTER_FLAG_TSYNC = 1, 1
ITIMER_PROF = 2
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


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def separate() -> list[str]:
    """No network, no shared memory of others; and no privilege over anything outside."""
    libc = _libc()
    apart = NEW_NET | NEW_IPC | NEW_UTS
    done = libc.unshare(NEW_USER | apart) == 0 or libc.unshare(apart) == 0
    return [] if done else ["namespaces"]


def lock(folders: Sequence[int]) -> list[str]:
    """Everything but the limits and the last system calls; the names of what this kernel lacks."""
    libc = _libc()
    lacking = []
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if not _landlock(libc, folders):
        lacking.append("landlock")
    if not _seccomp(libc, allowing(RUNNING | LOADING | (FOLDERS if folders else frozenset()))):
        lacking.append("seccomp")
    return lacking


def last(folders: Sequence[int]) -> bytes:
    """The filter that `close` will set; worked out once, and early where there is time."""
    return refusing(LOADING - RUNNING - (FOLDERS if folders else frozenset()), CONFINED)


def close(folders: Sequence[int]) -> list[str]:
    """What only loading needed: threads, limits, and memory that is executable; what the kernel lacks for it."""
    return [] if _seccomp(_libc(), last(folders)) else ["seccomp"]


def bound(most_files: int, cpu_milliseconds: int) -> None:
    """What the kernel counts for the guest: open files, seconds of a processor."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, most_files + SPARE_FILES)
    if cpu_milliseconds > 0:
        # The timer ends the guest to the kernel's tick; its system call is denied once the module is loaded. What
        # broke out could ignore its signal, and is ended by the limit in whole seconds behind it.
        seconds, milliseconds = divmod(cpu_milliseconds, 1000)
        value = Struct("<qqqq").pack(0, 0, seconds, 1000 * milliseconds)
        _libc().setitimer(ITIMER_PROF, ctypes.c_char_p(value), None)
        used = resource.getrusage(resource.RUSAGE_SELF)
        whole = -(-cpu_milliseconds // 1000) + 1
        _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + whole)


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


def _seccomp(libc: ctypes.CDLL, raw: bytes) -> bool:
    """Set a filter for every thread, beside those that are set already; the engine's compiler starts threads."""
    if not AUDIT_ARCH:
        return False
    program = _Program(len(raw) // _INSTRUCTION.size, raw)
    return bool(libc.syscall(SECCOMP, SET_MODE_FILTER, FILTER_FLAG_TSYNC, ctypes.byref(program)) == 0)


@cache
def allowing(numbers: frozenset[int]) -> bytes:
    """The BPF program that denies every system call but these."""
    steps = [step for number in sorted(numbers) for step in ((JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW))]
    return _program(*steps, (RETURN, 0, 0, DENY))


@cache
def refusing(numbers: frozenset[int], confined: frozenset[int]) -> bytes:
    """The BPF program that denies these system calls, and the confined ones with PROT_EXEC as third argument.

    It stands beside `allowing`: of several filters the kernel obeys the strictest.
    """
    steps = [step for number in sorted(numbers) for step in ((JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, DENY))]
    for number in sorted(confined):
        # not this call: skip four
        steps += [
            (JUMP_EQUAL, 0, 4, number),
            (LOAD, 0, 0, THIRD_ARGUMENT),
            (JUMP_SET, 0, 1, PROT_EXEC),
            (RETURN, 0, 0, DENY),
            (RETURN, 0, 0, ALLOW),
        ]
    return _program(*steps, (RETURN, 0, 0, ALLOW))


def _program(*steps: tuple[int, int, int, int]) -> bytes:
    """Steps that find the number loaded; another architecture's calls are denied before them."""
    first = (
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH),
        (RETURN, 0, 0, DENY),
        (LOAD, 0, 0, NUMBER),
    )
    return b"".join(_INSTRUCTION.pack(*step) for step in (*first, *steps))
