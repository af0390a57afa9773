"""The Keep's machine under emulation: start, image, connections, memory. Both sides of a ratio in one run, interleaved."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wasmtime

from enarx.keep.local import SOURCE
from enarx.platform.image import cpio, folder_store
from enarx.platform.image.build import Image, build
from enarx.platform.image.store import Store, default_folder
from enarx.platform.vm.keep_process import ATTEST_PORT, VmKeep
from enarx.platform.vm.machine_process import Choice, Machine
from enarx.platform.vm.plan import Accelerator
from enarx.platform.vm.shape import Boot
from enarx.workload.launch import Launch
from enarx.workload.package import MANIFEST, MODULE
from enarx.workload.package import build as package_of

ROOT = Path(__file__).resolve().parent.parent
AGENT = ROOT / "tests" / "platform" / "vm" / "agent_for_tests.py"
LAUNCH = Launch(package=b"p" * 32, tenant=b"tenant", deployment=b"d" * 16).encoded()
CHOICE = Choice(accelerator=Accelerator.TCG, boot=Boot.DIRECT)
Result = dict[str, Any]
BOOTS, TRIPS, BULK = 5, 300, 16 << 20
IDLE = """(module
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 3600000000000))
        (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"""
"""Sleeps for an hour: a subscription to the monotonic clock."""
C_INIT = """
#include <fcntl.h>
#include <sys/reboot.h>
#include <unistd.h>
int main(void) {
    int console = open("/dev/console", O_WRONLY);
    write(console, "ready\\n", 6);
    reboot(RB_POWER_OFF);
    for (;;) pause();
}
"""
ECHO_INIT = b"""
import os
from enarx.platform.vm import ports, usual_init
usual_init.prepare()
port = usual_init._open_port(ports.STREAMS)
os.write(port, b"!")
while True:
    os.write(port, os.read(port, 1 << 18))
"""
"""Stands in for process 1: same kernel, same interpreter, nothing between it and the port."""


def _build(own: dict[str, bytes] | None = None) -> Image:
    lock, store = folder_store.read_lock(folder_store.default_lock()), Store(default_folder())
    fetched = folder_store.fetch(lock, store, say=lambda line: print(line, file=sys.stderr))
    return build(lock, folder_store.own_sources() | (own or {}), fetched=fetched, store=store, version="0")


def _keep(folder: Path) -> VmKeep:
    """A Keep with the agent's stand-in, which echoes."""
    keep = VmKeep(LAUNCH, image=folder, choice=CHOICE, attest="127.0.0.1:0")
    next(event for event in keep.events() if event["event"] == "attesting")
    return keep


def _real(folder: Path, until: str) -> tuple[VmKeep, float]:
    """A Keep with its agent and an idle module, and the seconds until the agent reports a state."""
    package = package_of({MODULE: bytes(wasmtime.wat2wasm(IDLE)), MANIFEST: b"files = []\n"})
    launch = Launch(package=package.digest, tenant=b"nobody", deployment=b"d" * 16, source=SOURCE)
    started = time.monotonic()
    nodes = {"": package.root, **package.nodes}
    keep = VmKeep(launch.encoded(), image=folder, choice=CHOICE, nodes=nodes)
    next(event for event in keep.events() if event.get("state") == until)
    return keep, time.monotonic() - started


def image() -> Iterator[Result]:
    """A build from a warm cache, and the size of the initramfs."""
    _build()
    started = time.monotonic()
    made = _build()
    seconds = time.monotonic() - started
    yield {"name": "vm.image_s", "value": round(seconds, 2), "unit": "s", "ratio": None, "against": "a warm cache"}
    size = made.manifest.parts["initrd.lz4"].size / 1e6
    yield {
        "name": "vm.image_mb",
        "value": round(size, 1),
        "unit": "MB",
        "ratio": None,
        "against": "compressed initramfs",
    }


def boot() -> Iterator[Result]:
    """To the agent's first report, of a launch document that it has read, against a C init that prints one line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder_store.write(_build(), folder)
        bare = _c_image(folder)
        ours, theirs = [], []
        for _ in range(BOOTS):
            keep, seconds = _real(folder, "opened")
            keep.stop()
            ours.append(seconds)
            theirs.append(_bare_boot(folder, bare))
    value, base = statistics.median(ours), statistics.median(theirs)
    against = f"QEMU with the same kernel to a C init: {base:.2f} s"
    yield {
        "name": "vm.boot",
        "value": round(value, 2),
        "unit": "s",
        "ratio": round(value / base, 2),
        "against": against,
    }


def _c_image(folder: Path) -> Path:
    source, program = folder / "init.c", folder / "init"
    source.write_text(C_INIT, encoding="ascii")
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-musl"]
    subprocess.run([*compiler, "-static", "-Os", "-s", str(source), "-o", str(program)], check=True)
    entries = {
        "/init": cpio.Entry(body=program.read_bytes(), executable=True),
        "/dev/console": cpio.Entry(device=(5, 1)),
    }
    (folder / "c.cpio").write_bytes(cpio.archive(entries))
    return folder / "c.cpio"


def _bare_boot(folder: Path, initrd: Path) -> float:
    line = (folder / "cmdline").read_text(encoding="ascii").partition("rdinit=")[0] + "rdinit=/init"
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    command += ["-machine", "q35,usb=off,sata=off,vmport=off,smbus=off,hpet=off,i8042=off,graphics=off"]
    command += ["-accel", "tcg,tb-size=64", "-cpu", "max,-erms,-fsrm", "-m", "256M", "-serial", "stdio"]
    command += ["-kernel", str(folder / "vmlinux"), "-initrd", str(initrd), "-append", line]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        for text in running.stdout:
            if text.rstrip().endswith(b"ready"):
                break
        seconds = time.monotonic() - started
        running.kill()
    return seconds


def streams() -> Iterator[Result]:
    """Round trips and bulk through launcher, streams and the agent's socket, against the bare port echoed by Python."""
    with tempfile.TemporaryDirectory() as name:
        folder, raw = Path(name) / "keep", Path(name) / "raw"
        folder_store.write(_build({"enarx/platform/vm/agent.py": AGENT.read_bytes()}), folder)
        init = ROOT / "src" / "enarx" / "platform" / "vm" / "init.py"
        echo = {"enarx/platform/vm/init.py": ECHO_INIT, "enarx/platform/vm/usual_init.py": init.read_bytes()}
        folder_store.write(_build(echo), raw)
        keep = _keep(folder)
        bare = _RawEcho(raw)
        host, _, port = keep.addresses[ATTEST_PORT].rpartition(":")
        with socket.create_connection((host, int(port))) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            trips = [(_trip(client), _trip(bare.stream)) for _ in range(TRIPS)][TRIPS // 10 :]
            bulks = [(_bulk(client), _bulk(bare.stream)) for _ in range(3)]
        keep.stop()
        bare.stop()
    ours, theirs = (statistics.median(side) * 1e6 for side in zip(*trips, strict=True))
    against = f"echo over the bare virtio-serial port: {theirs:.0f} us"
    yield {"name": "vm.rtt", "value": round(ours), "unit": "us", "ratio": round(ours / theirs, 2), "against": against}
    ours, theirs = (BULK / 1e6 / statistics.median(side) for side in zip(*bulks, strict=True))
    against = f"the bare port, there and back: {theirs:.0f} MB/s"
    value = {"value": round(ours, 1), "unit": "MB/s", "ratio": round(ours / theirs, 2), "against": against}
    yield {"name": "vm.throughput", **value}


class _RawEcho:
    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder, CHOICE)
        self.stream = self.machine.streams
        self.stream.settimeout(60)
        assert self.stream.recv(1) == b"!", self.machine.console()

    def stop(self) -> None:
        self.machine.stop()
        self.stream.close()
        self.machine.control.close()


def _trip(stream: socket.socket) -> float:
    started = time.perf_counter()
    stream.sendall(bytes(64))
    missing = 64
    while missing:
        missing -= len(stream.recv(missing))
    return time.perf_counter() - started


def _bulk(stream: socket.socket) -> float:
    started = time.perf_counter()
    writer = threading.Thread(target=stream.sendall, args=(bytes(BULK),))
    writer.start()
    missing = BULK
    while missing:
        missing -= len(stream.recv(min(missing, 1 << 18)))
    writer.join()
    return time.perf_counter() - started


def memory() -> Iterator[Result]:
    """Host memory (PSS of guard and QEMU) of Keeps with 256 MB whose module has started and idles: one, and four."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder_store.write(_build(), folder)
        keeps = [_real(folder, "running")[0]]
        time.sleep(1)
        one = _pss(keeps[0].pid)
        keeps += [_real(folder, "running")[0] for _ in range(3)]
        time.sleep(1)
        four = sum(_pss(keep.pid) for keep in keeps)
        for keep in keeps:
            keep.stop()
    against = "one idle Keep with a loaded module"
    yield {"name": "vm.pss_mb", "value": round(one), "unit": "MB", "ratio": None, "against": against}
    yield {"name": "vm.pss_4", "value": round(four), "unit": "MB", "ratio": round(four / one, 2), "against": against}


def _pss(pid: int) -> float:
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    own = next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return own + sum(_pss(int(child)) for child in children)


BENCHES = {"vm.image": image, "vm.boot": boot, "vm.streams": streams, "vm.memory": memory}
