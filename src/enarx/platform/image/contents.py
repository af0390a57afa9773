# SPDX-License-Identifier: Apache-2.0
"""What is in the image: where the closure of imports begins, where it stops, and the few other files.

Everything else follows: a module is in because one that is in imports it, a library because a
file that is in needs it.
"""

from __future__ import annotations

from enarx.platform.image.cpio import Entry

PYTHON = "/usr/bin/python3.11"
HOME = "/usr/lib/python3.11"
INIT = "enarx.platform.vm.init"
"""PID 1. It starts the agent in a child, so that whatever becomes of the agent is reported."""

ROOTS = (
    INIT,
    "enarx.keep.__main__",
    "enarx.runtime.guest.main",
    # a component's interfaces, which are loaded by name
    "enarx.runtime.component.wasi.cli",
    "enarx.runtime.component.wasi.clocks",
    "enarx.runtime.component.wasi.filesystem",
    "enarx.runtime.component.wasi.http",
    "enarx.runtime.component.wasi.io",
    "enarx.runtime.component.wasi.random",
    "enarx.runtime.component.wasi.sockets",
    # the interpreter's own start, and `python -m`
    "encodings.aliases",
    "encodings.utf_8",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.idna",
    "codecs",
    "io",
    "abc",
    "runpy",
    "zipimport",
    # compiled modules import these without saying so in bytecode
    "_cffi_backend",
    "datetime",
    "_strptime",
    "decimal",
    "fractions",
    "email.message",
    "ipaddress",
    "uuid",
    "dataclasses",
    "enum",
    "zoneinfo",
)
"""Modules that the agent's start imports, or that compiled code imports by name."""

STOP = frozenset(
    [
        "_aix_support",
        "_android_support",
        "_distutils_hack",
        "_osx_support",
        "_pyrepl",
        "antigravity",
        "audioop",
        "bdb",
        "cgi",
        "cmd",
        "code",
        "codeop",
        "curses",
        "dbm",
        "distutils",
        "doctest",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "multiprocessing",
        "pdb",
        "pip",
        "pkg_resources",
        "pty",
        "pycparser",
        "pydoc",
        "pydoc_data",
        "readline",
        "rlcompleter",
        "setuptools",
        "sqlite3",
        "test",
        "tkinter",
        "trio",
        "turtle",
        "tty",
        "unittest",
        "venv",
        "webbrowser",
        "xml",
        "xmlrpc",
        "rich",
        "pygments",
        "click",
        "h2",
        "socksio",
        "brotli",
        "brotlicffi",
        "zstandard",
        "uvloop",
        "curio",
        "getpass",
        "lzma",
        "_lzma",
        "bz2",
        "_bz2",
        "_uuid",
    ]
)
"""Modules that something imports, in a corner where the agent never comes; absent, they say so."""

FILES = ("wasmtime/linux-x86_64/_libwasmtime.so", "certifi/cacert.pem")
"""Files of wheels that are no modules, taken where their package is in."""

KERNEL_MODULES = ("configfs", "tsm", "sev_guest", "tdx_guest")
"""Loadable kernel modules, in the order in which they are loaded; all other drivers are built in."""

LIBRARIES = ("/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/")
DEVICES = {"/dev/console": Entry(device=(5, 1)), "/dev/null": Entry(device=(1, 3))}
FOLDERS = ("/proc", "/sys", "/tmp", "/run")  # noqa: S108 - folders of the image

_LEFT_OUT = (
    "jent_mod_init",
    "load_system_certificate_list",
    "trace_eval_init",
    "init_kprobe_trace",
    "bpf_tcp_ca_kfunc_init",
    "bpf_dummy_struct_ops_init",
)
COMMAND_LINE = " ".join(
    (
        "console=ttyS0 quiet panic=-1 random.trust_cpu=on",
        # Nothing that the host emulates may talk the kernel out of the processor's own clock.
        "tsc=reliable",
        # A tmpfs would take half of the memory at most, which a small machine's initramfs exceeds.
        "rootfstype=ramfs",
        # The agent keeps no state over a crash, and no core of it may be written anywhere.
        "oops=panic",
        # Self-tests of ciphers and tracing cost 0.6 s of an emulated start. The certificate list that is
        # left out would sign kernel modules; ours are covered by the image's own measurement.
        "cryptomgr.notests",
        f"initcall_blacklist={','.join(_LEFT_OUT)}",
        f"rdinit={PYTHON} -- -I -S -B -m {INIT}",
    )
)
"""The kernel's command line, the same for every Keep."""
