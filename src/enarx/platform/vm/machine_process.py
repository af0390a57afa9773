# SPDX-License-Identifier: Apache-2.0
"""A running machine: QEMU under its guard, its console, its two channels."""

# ruff: noqa: PTH110, PTH112, PTH114 - paths here are text for other programs
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from enarx.errors import Malformed, Misused, Reason, Undetermined
from enarx.platform.image import build, folder_store
from enarx.platform.tpm import maker, maker_store
from enarx.platform.tpm.software_process import SoftwareTpm
from enarx.platform.vm import groups_store
from enarx.platform.vm import plan as plans
from enarx.platform.vm.guarded_process import Guarded
from enarx.platform.vm.plan import Accelerator, Descriptors, Files, Plan
from enarx.platform.vm.shape import Boot

CONSOLE_BYTES = 256 << 10
_INSIDE = "/image"
_TELLING = re.compile(r"Kernel panic|Out of memory|Error|failed|denied|could not")
_PARTS = {
    Boot.DIRECT: (build.KERNEL_ELF, build.INITRD, build.CMDLINE),
    Boot.MEASURED: (build.KERNEL, build.INITRD, build.CMDLINE, build.FIRMWARE),
    Boot.HASHED: (build.KERNEL, build.INITRD, build.CMDLINE, build.TEE_FIRMWARE),
}
_SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/share/qemu", "/usr/share/seabios", "/lib", "/lib64")


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller chooses about a machine."""

    accelerator: Accelerator
    boot: Boot
    memory_mb: int = plans.DEFAULT_MEMORY_MB
    cpus: int = 1
    cpu_seconds: int = 0
    tpm_maker: Path | None = None
    """Folder of the maker who certifies the endorsement key of a measured machine's TPM; None for nobody."""
    launch: bytes = b""
    """The launch digest, for the field in which a TEE shows it."""


def hardware() -> frozenset[Accelerator]:
    """What this machine's processor and kernel can really run. Probed, never assumed.

    A `/dev/kvm` without `svm` or `vmx` interprets the guest's kernel and never boots it.
    """
    flags = _cpu_flags()
    found = {Accelerator.TCG}
    if os.path.exists("/dev/kvm") and flags & {"svm", "vmx"}:
        found.add(Accelerator.KVM)
        parameters = {Accelerator.SNP: "kvm_amd/parameters/sev_snp", Accelerator.TDX: "kvm_intel/parameters/tdx"}
        for one, path in parameters.items():
            with contextlib.suppress(OSError):
                if Path("/sys/module", path).read_text(encoding="ascii").strip() in {"Y", "1"}:
                    found.add(one)
    return frozenset(found)


def _cpu_flags() -> set[str]:
    with contextlib.suppress(OSError):
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(encoding="ascii"), re.MULTILINE)
        return set(found[1].split()) if found else set()
    return set()


def qemu() -> tuple[str, tuple[int, int]]:
    """QEMU's path and version."""
    path = shutil.which("qemu-system-x86_64")
    if path is None:
        raise Misused(Reason.BACKEND_UNAVAILABLE, "QEMU is not installed", hint="apt-get install qemu-system-x86")
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20).stdout
    except subprocess.TimeoutExpired:
        raise Undetermined(Reason.TIMED_OUT, "QEMU's version") from None
    found = re.search(r"version (\d+)\.(\d+)", said)
    if found is None:
        raise Undetermined(Reason.UNEXPECTED_ANSWER, "QEMU's version")
    return os.path.realpath(path), (int(found[1]), int(found[2]))


def check_image(folder: Path, boot: Boot) -> dict[str, str]:
    """The paths of the parts that a boot needs, every digest checked; the command line as text."""
    manifest, _ = folder_store.read(folder, ())
    paths: dict[str, str] = {}
    for name in _PARTS[boot]:
        try:
            with (folder / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Misused(Reason.FILE_UNREADABLE, f"image {folder / name}: {error.strerror}") from None
        if name not in manifest.parts or manifest.parts[name].sha256 != digest:
            raise Malformed(Reason.DIGEST_MISMATCH, f"image: {name} is not what its manifest says")
        paths[name] = str((folder / name).resolve())
    paths[build.CMDLINE] = manifest.command_line
    return paths


class Machine:
    """QEMU, from start to end. `control` and `streams` are this end of its channels."""

    def __init__(self, image: Path, choice: Choice) -> None:
        paths = check_image(image, choice.boot)
        self.tpm = _software_tpm(choice) if choice.boot is Boot.MEASURED else None
        tpm = self.tpm.channel.fileno() if self.tpm is not None else None
        self.control, control = socket.socketpair()
        self.streams, streams = socket.socketpair()
        console, far_console = socket.socketpair()
        numbers = Descriptors(console=far_console.fileno(), control=control.fileno(), streams=streams.fileno(), tpm=tpm)
        try:
            self.plan = _plan(choice, paths, numbers)
            binds = [(host, inside, "load") for host, inside in _image_binds(choice.boot, paths).items()]
            binds += [(path, path, "ro") for path in _SYSTEM if os.path.isdir(path) and not os.path.islink(path)]
            if choice.accelerator is not Accelerator.TCG:
                binds.append(("/dev/kvm", "/dev/kvm", "rw"))
            keep = [far_console.fileno(), control.fileno(), streams.fileno(), *([tpm] if tpm is not None else [])]
            self.groups = groups_store.made(groups_store.bounds(choice.memory_mb, choice.cpus))
            groups = self.groups.folders
            limits = {"cpu_seconds": choice.cpu_seconds}
            self._guarded = Guarded(plans.argv(self.plan), keep=keep, binds=binds, groups=groups, limits=limits)
        except BaseException:
            for mine in (self.control, self.streams, console):
                mine.close()
            self._stop_tpm()
            raise
        finally:
            for theirs in (control, streams, far_console):
                theirs.close()
        self.protection = self._guarded.protection
        self._console = bytearray()
        self._console_lock = threading.Lock()
        self._reader = threading.Thread(target=self._listen, args=(console,), name="console", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The guard's process id; QEMU is its child."""
        return self._guarded.pid

    def console(self) -> str:
        """The end of what the machine's kernel and agent wrote to the console. Untrusted text."""
        with self._console_lock:
            return self._console.decode("utf-8", "replace")

    def booted(self) -> None:
        """The machine runs from its own memory: QEMU needs kernel and initramfs no more."""
        self._guarded.loaded()

    def poll(self) -> int | None:
        """QEMU's exit code, or None while it runs."""
        return self._guarded.poll()

    def wait(self, timeout: float | None = None) -> int:
        """QEMU's exit code, once there is one."""
        return self._guarded.wait(timeout)

    def stop(self) -> int:
        """End QEMU at once."""
        code = self._guarded.stop()
        groups_store.removed(self.groups)
        self._stop_tpm()
        self._reader.join(1.0)
        return code

    def _stop_tpm(self) -> None:
        if self.tpm is not None:
            self.tpm.stop()

    def last_words(self, *, guess: bool = True) -> str:
        """Why a machine died, as far as QEMU or the console tell it: one line; a `guess` is whatever came last."""
        for text in (self._guarded.said(), self.console()):
            lines = [_printable(line) for line in text.splitlines() if line.strip()]
            if lines:
                return next((line for line in reversed(lines) if _TELLING.search(line)), lines[-1] if guess else "")
        return ""

    def obituary(self) -> str:
        """How a machine ended that did not say so itself. Ends it if it has not."""
        code = self.stop()
        number = -code if code < 0 else code - 128
        if number not in set(signal.Signals):
            return f"machine ended with {code}: {self.last_words()}".rstrip(": ")
        who = "the guard of QEMU" if code < 0 else "QEMU"
        return f"{who} was ended by {signal.Signals(number).name}: {self.last_words(guess=False)}".rstrip(": ")

    def _listen(self, console: socket.socket) -> None:
        with console, contextlib.suppress(OSError):
            while received := console.recv(65536):
                with self._console_lock:
                    self._console += received
                    del self._console[:-CONSOLE_BYTES]


def _printable(line: str) -> str:
    return "".join(letter for letter in line if letter.isprintable())[:200]


def _image_binds(boot: Boot, paths: dict[str, str]) -> dict[str, str]:
    return {paths[name]: f"{_INSIDE}/{name}" for name in _PARTS[boot] if name != build.CMDLINE}


def _software_tpm(choice: Choice) -> SoftwareTpm:
    """A TPM as fresh as the machine, with its maker's certificate."""
    if choice.tpm_maker is None:
        return SoftwareTpm()
    when = datetime.now(UTC)  # noqa: TID251 - the door: certificates begin now
    by = maker_store.open_maker(choice.tpm_maker, when=when)
    return SoftwareTpm(lambda send: maker.manufacture(send, by, when=when))


def _plan(choice: Choice, paths: dict[str, str], numbers: Descriptors) -> Plan:
    program, version = qemu()
    if choice.accelerator not in hardware():
        raise Misused(
            Reason.BACKEND_UNAVAILABLE,
            f"{choice.accelerator} on this machine",
            hint=f"it has {', '.join(sorted(hardware()))}",
        )
    inside: Callable[[str], str] = lambda name: f"{_INSIDE}/{name}"  # noqa: E731
    kernel, _, _, *firmware = _PARTS[choice.boot]
    tee = {
        Accelerator.SNP: {"snp": plans.Snp(host_data=choice.launch)},
        Accelerator.TDX: {"tdx": plans.Tdx(mrconfigid=choice.launch)},
    }.get(choice.accelerator, {})
    return Plan(
        accelerator=choice.accelerator,
        boot=choice.boot,
        program=program,
        qemu=version,
        memory_mb=choice.memory_mb,
        cpus=choice.cpus,
        files=Files(
            kernel=inside(kernel),
            initrd=inside(build.INITRD),
            command_line=paths[build.CMDLINE],
            firmware=inside(firmware[0]) if firmware else "",
        ),
        descriptors=numbers,
        **tee,  # type: ignore[arg-type]
    )
