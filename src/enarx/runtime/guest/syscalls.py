# SPDX-License-Identifier: Apache-2.0
"""The system calls that a guest's process may make, by machine.

Source: the kernel's tables `arch/x86/entry/syscalls/syscall_64.tbl` and `asm-generic/unistd.h`.
Nothing here creates a process, a socket or a name in the file system, signals, traces, or opens.
"""

from __future__ import annotations

import os

_X86_64 = os.uname().machine == "x86_64"
_AARCH64 = os.uname().machine == "aarch64"

AUDIT_ARCH = 0xC000003E if _X86_64 else 0xC00000B7 if _AARCH64 else 0
"""AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64; 0 where no list was written."""

# Each name with its numbers: on x86-64, on arm64.
_RUNNING = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "poll": (7, 73),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "ioctl": (16, 29),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "shutdown": (48, 210),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "exit": (60, 93),
    # How a process of the guest's own ended that answers requests.
    "wait4": (61, 260),
    "fcntl": (72, 25),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "accept4": (288, 242),
    "getrandom": (318, 278),
    "membarrier": (324, 283),
    "rseq": (334, 293),
    "restart_syscall": (219, 128),
    # The engine keeps the first state of a memory in an anonymous file and maps it copy-on-write.
    "memfd_create": (319, 279),
    "ftruncate": (77, 46),
}
_LOADING = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "set_robust_list": (273, 99),
    "seccomp": (317, 277),
    "prctl": (157, 167),
    "getppid": (110, 173),
    "pipe2": (293, 59),
    # Opening leads nowhere once Landlock has closed the file system; compiled code is mapped by
    # its name below /proc/self/fd.
    "openat": (257, 56),
    "readlink": (89, 78),
    "sched_setaffinity": (203, 122),
    # The guest's limits, which come with its workload.
    "getrusage": (98, 165),
    "setitimer": (38, 103),
    "prlimit64": (302, 261),
}
_FOLDERS = {
    "openat": (257, 56),
    "mkdirat": (258, 34),
    "unlinkat": (263, 35),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "linkat": (265, 37),
    "symlinkat": (266, 36),
    "readlinkat": (267, 78),
    "utimensat": (280, 88),
    "getdents64": (217, 61),
    "fallocate": (285, 47),
    "dup": (32, 23),
    "preadv": (295, 69),
    "pwritev": (296, 70),
    "preadv2": (327, 286),
    "pwritev2": (328, 287),
    "fadvise64": (221, 223),
}


def _numbers(table: dict[str, tuple[int, int]], *names: str) -> frozenset[int]:
    place = 0 if _X86_64 else 1
    return frozenset(numbers[place] for name, numbers in table.items() if not names or name in names)


SECCOMP = 317 if _X86_64 else 277
RUNNING = _numbers(_RUNNING)
"""What a running guest needs."""
LOADING = _numbers(_LOADING)
"""What compiling and loading need in addition."""
FOLDERS = _numbers(_FOLDERS)
"""What real folders need in addition (`--dir`)."""
CONFINED = _numbers(_RUNNING, "mmap", "mprotect")
"""Calls whose third argument may not make memory executable."""
