# SPDX-License-Identifier: Apache-2.0
"""A guest that broke out of wasm: native code in the guest's process, looking for keys and ways out.

The attack runs where the guest's first instruction would have run, with everything that process has.
"""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path

import pytest
import wasmtime

from enarx.runtime.guest.sandbox import ALLOW, DENY, allowing, refusing
from enarx.runtime.process import run
from enarx.runtime.sealed.mount import Mount
from enarx.runtime.spawn import GuestProcess, spawn
from enarx.runtime.tls import self_signed
from enarx.runtime.workload import NO_STDIO, Workload
from enarx.workload.manifest import DEFAULT, Listen, Manifest, Null, Sealed
from tests.runtime.sealed.host import SCOPE, Host, Keeper

ATTACK = r"""
import sys
sys.path.insert(0, sys.argv[1])
import ctypes, gc, json, mmap, os, _socket
import enarx.runtime.guest.main as guest
from enarx.runtime import wire

libc = ctypes.CDLL(None, use_errno=True)
parent = int(sys.argv[3])

def raw(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

TRIES = {
    "read a file": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "list the root": lambda: os.listdir("/"),
    "write a file": lambda: os.open("/tmp/planted", os.O_WRONLY | os.O_CREAT),
    "read the agent's memory": lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY),
    "read its own memory": lambda: os.open("/proc/self/mem", os.O_RDONLY),
    "read the agent's environment": lambda: os.open(f"/proc/{parent}/environ", os.O_RDONLY),
    "open the SNP device": lambda: os.open("/dev/sev-guest", os.O_RDWR),
    "open the TDX device": lambda: os.open("/dev/tdx_guest", os.O_RDWR),
    "open the TPM": lambda: os.open("/dev/tpmrm0", os.O_RDWR),
    "make a directory": lambda: os.mkdir("/tmp/planted"),
    "remove a file": lambda: os.unlink("/etc/passwd"),
    "make a TCP socket": lambda: _socket.socket(),
    "make a unix socket": lambda: _socket.socket(_socket.AF_UNIX),
    "make a packet socket": lambda: _socket.socket(17, 3),
    "connect a pair": lambda: _socket.socketpair(),
    "fork": lambda: os.fork(),
    "execute": lambda: os.execv("/bin/sh", ["sh"]),
    "signal the agent": lambda: os.kill(parent, 0),
    "trace the agent": lambda: raw("ptrace", 16, parent, 0, 0),
    "read across processes": lambda: raw("process_vm_readv", parent, 0, 0, 0, 0, 0),
    "open another's descriptor": lambda: raw("syscall", 438, 0, 0, 0),
    "leave for another namespace": lambda: raw("setns", 3, 0),
    "make namespaces": lambda: raw("unshare", 0x10000000),
    "mount": lambda: raw("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "load a kernel module": lambda: raw("syscall", 313, -1, b"", 0),
    "use bpf": lambda: raw("syscall", 321, 0, 0, 0),
    "use io_uring": lambda: raw("syscall", 425, 1, 0),
    "map executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "make memory executable": lambda: raw("mprotect", ctypes.c_void_p(ctypes.addressof(PAGE) & ~4095), 4096, 7),
    "drop the filter": lambda: raw("prctl", 22, 0, 0, 0, 0),
}
PAGE = ctypes.create_string_buffer(8192)

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "DONE"

def kinds():
    found = {}
    for number in range(256):
        try:
            found[number] = os.fstat(number).st_mode >> 12
        except OSError:
            pass
    return found

def attack(program):
    results = {what: attempt(act) for what, act in TRIES.items()}
    held = [o for o in gc.get_objects() if isinstance(o, (dict, list, tuple))]
    texts = [o for h in held for o in (h.values() if isinstance(h, dict) else h) if isinstance(o, (bytes, bytearray, str))]
    mark = bytes.fromhex("50524956415445204b4559")
    marks = (mark, bytes.fromhex("5ea1ed") * 10)
    raw = [t.encode("utf-8", "replace") if isinstance(t, str) else bytes(t) for t in texts]
    keys = [t for t in raw if any(one in t for one in marks)]
    modules = sorted(m for m in sys.modules if m.partition(".")[0] in ("ssl", "_ssl", "cryptography", "OpenSSL", "msgspec"))
    found = {"tries": results, "kinds": kinds(), "keys": len(keys), "modules": modules, "environment": dict(os.environ)}
    return wire.TRAPPED, json.dumps(found).encode()

guest.execute = attack
guest.main(sys.argv[2], parent, folders=sys.argv[4:] == ["folders"])
"""
MODULE = bytes(
    wasmtime.wat2wasm("""(module
        (import "wasi_snapshot_preview1" "path_open"
            (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (func (export "_start")))""")
)
SOCKET, CHARACTER = 0o14, 0o2


def closed(process: GuestProcess) -> GuestProcess:
    """A guest's process that has closed its sandbox while it waits for its workload."""
    status = Path(f"/proc/{process.pid}/status")
    while "Seccomp_filters:\t0" in (text := status.read_text()):
        assert "State:\tZ" not in text
        time.sleep(0.01)
    return process


@pytest.fixture(scope="module", params=["at once", "warm"])
def loot(request: pytest.FixtureRequest) -> dict[str, object]:
    """What the attack found in the process of a guest that listens with TLS."""
    from datetime import UTC, datetime

    sealed = Sealed("this-machine", "launch", "not detected")
    manifest = Manifest(files=(Null(), Listen("web", 0, "tls", "127.0.0.1")), sealed=sealed)
    keeper = Keeper(bytes.fromhex("5ea1ed") * 10 + b"//", detected=False)
    mount = Mount(sealed, Host(), keeper, SCOPE, storage=None, report=lambda _: None)
    identity = self_signed(when=datetime.now(UTC))
    os.environ["ENARX_TEST_SECRET"] = "hidden"
    try:
        process = closed(spawn(ATTACK)) if request.param == "warm" else spawn(ATTACK, folders=True)
        found = run(Workload(MODULE, manifest), identity=identity, stdio=NO_STDIO, process=process, mount=mount)
    finally:
        del os.environ["ENARX_TEST_SECRET"]
    loot: dict[str, object] = json.loads(found.trace)
    return loot


def test_no_way_out_is_open(loot: dict[str, object]) -> None:
    tries = loot["tries"]
    assert isinstance(tries, dict)
    assert 30 == len(tries)
    assert {} == {what: how for what, how in tries.items() if how not in ("PermissionError", "FileNotFoundError")}


def test_no_key_and_no_library_that_handles_keys_is_there(loot: dict[str, object]) -> None:
    # LC_CTYPE is what Python sets itself under the C locale (PEP 538).
    assert (0, [], {}) == (
        loot["keys"],
        loot["modules"],
        {k: v for k, v in loot["environment"].items() if k != "LC_CTYPE"},
    )


def test_the_process_holds_what_it_was_granted_and_nothing_else(loot: dict[str, object]) -> None:
    """Null files as 0 to 2, the channel, the module, its provided files, and the channel on which TLS connections arrive."""
    kinds = loot["kinds"]
    assert isinstance(kinds, dict)
    assert [CHARACTER] * 3 == [kinds.pop(n) for n in ("0", "1", "2")]
    assert 2 == sum(kind == SOCKET for kind in kinds.values())
    assert {SOCKET, 0o10} == set(kinds.values())
    assert len(kinds) <= 5


def test_a_hostile_process_that_says_nonsense_ends() -> None:
    boot = "import os; os.write(3, bytes([200]) + (1 << 31).to_bytes(4, 'little')); import time; time.sleep(60)"
    found = run(Workload(MODULE, DEFAULT), stdio=NO_STDIO, process=spawn(boot))
    assert "keep-died" == found.reason


def test_a_hostile_process_that_tells_its_end_and_stays_is_ended() -> None:
    boot = "import os, struct; os.write(3, struct.pack('<BII', 18, 5, 1) + b'7'); import time; time.sleep(60)"
    assert 7 == run(Workload(MODULE, DEFAULT), stdio=NO_STDIO, process=spawn(boot)).code


WEAK = """
import sys
sys.path.insert(0, sys.argv[1])
import enarx.runtime.guest.main as guest
guest.separate = lambda: ["namespaces"]
guest.main(sys.argv[2], int(sys.argv[3]))
"""


def test_what_the_kernel_lacks_is_named_and_refused_when_it_is_required() -> None:
    named: list[tuple[str, ...]] = []
    ended = run(Workload(MODULE, DEFAULT), stdio=NO_STDIO, process=spawn(WEAK), on_running=named.append)
    assert (0, [("namespaces",)]) == (ended.code, named)
    refused = run(Workload(MODULE, DEFAULT, require_sandbox=True), stdio=NO_STDIO, process=spawn(WEAK))
    assert ("sandbox-unavailable", "this kernel lacks namespaces") == (refused.reason, refused.detail)
    assert 0 == run(Workload(MODULE, DEFAULT, require_sandbox=True), stdio=NO_STDIO).code


def answers(program: bytes, number: int, third: int, architecture: int) -> int:
    """Run the classic BPF by hand."""
    steps = list(struct.iter_unpack("<HBBI", program))
    words = {0: number, 4: architecture, 32: third}
    at, loaded = 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:
            loaded = words[value]
        elif code == 0x06:
            return int(value)
        else:
            held = loaded == value if code == 0x15 else bool(loaded & value)
            at += yes if held else no


def test_the_first_filter_allows_its_list_and_nothing_else() -> None:
    from enarx.runtime.guest.syscalls import AUDIT_ARCH

    program = allowing(frozenset({0, 9, 60}))
    found = {number: answers(program, number, 3, AUDIT_ARCH) for number in range(500)}
    assert {0, 9, 60} == {number for number, answer in found.items() if answer == ALLOW}
    assert {ALLOW, DENY} == set(found.values())
    assert DENY == answers(program, 0, 0, 0x40000003)


def test_the_last_filter_denies_its_list_and_executable_memory() -> None:
    from enarx.runtime.guest.syscalls import AUDIT_ARCH

    program = refusing(frozenset({56, 257}), frozenset({9, 10}))
    found = {number: answers(program, number, 3, AUDIT_ARCH) for number in range(500)}
    assert {56, 257} == {number for number, answer in found.items() if answer == DENY}
    assert {ALLOW, DENY} == set(found.values())
    assert [DENY, DENY, ALLOW] == [answers(program, number, 7, AUDIT_ARCH) for number in (9, 10, 0)]
    assert DENY == answers(program, 0, 0, 0x40000003)
