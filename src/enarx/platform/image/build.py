# SPDX-License-Identifier: Apache-2.0
"""From a lock file to an image. The same inputs give the same bytes on every machine."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files as resources

import msgspec

from enarx.codec.digest import sha256
from enarx.errors import Faulty, Malformed, Reason
from enarx.platform.image import cpio, deb, elf, kernel, wheel
from enarx.platform.image.closure import Module, Source, closure
from enarx.platform.image.contents import (
    COMMAND_LINE,
    DEVICES,
    FILES,
    FOLDERS,
    HOME,
    INIT,
    KERNEL_MODULES,
    LIBRARIES,
    PYTHON,
    ROOTS,
    STOP,
)
from enarx.platform.image.deb import Member
from enarx.platform.image.lock import Deb, Entry, Lock, Use, Wheel
from enarx.platform.image.manifest import VERSION, File, Manifest, bill_of_materials, describe
from enarx.platform.image.store import Store
from enarx.platform.image.toolbox_process import LOADER, Toolbox

MANIFEST, BILL = "manifest.json", "sbom.cdx.json"
KERNEL, KERNEL_ELF, INITRD, CMDLINE = "vmlinuz", "vmlinux", "initrd.lz4", "cmdline"
FIRMWARE, TEE_FIRMWARE = "OVMF.fd", "OVMF.tee.fd"
_FIRMWARE = {FIRMWARE: "/usr/share/ovmf/OVMF.fd"}

Fetched = Callable[[Entry], bytes]
"""The verified bytes of a package."""


class Image(msgspec.Struct, frozen=True):
    """The files of an image's folder by name."""

    files: dict[str, bytes]
    manifest: Manifest


def build(
    lock: Lock,
    own: Mapping[str, bytes],
    *,
    fetched: Fetched,
    store: Store,
    version: str,
    tee_firmware: bytes | None = None,
) -> Image:
    """Build an image.

    own      Enarx's own sources by path below the library folder ("enarx/errors.py")
    version  of Enarx, for the bill of materials
    tee_firmware  what `enarx image firmware` built, for SEV-SNP
    """
    system = _system(lock, fetched, store)
    program = resources("enarx.platform.image").joinpath("toolbox.py").read_bytes()
    tools = {path: member for path, (member, _) in system.items() if not path.startswith("/boot/")}
    with Toolbox(tools, program, lz4=_library(tools, "liblz4.so.1"), zstd=_library(tools, "libzstd.so.1")) as toolbox:
        modules = _modules(lock, own, system, fetched=fetched, store=store, toolbox=toolbox)
        vmlinuz, ko = _kernel(lock, fetched, store)
        entries, origins = _entries(modules, system, ko, kernel_label=lock.one(Use.KERNEL).label)
        archive = cpio.archive(entries)
        parts = {
            KERNEL: vmlinuz,
            KERNEL_ELF: _elf(vmlinuz, store, toolbox),
            INITRD: store.derived("lz4", sha256(archive).hex(), _tool_key(lock), make=lambda: toolbox.lz4(archive)),
            CMDLINE: COMMAND_LINE.encode(),
            **_firmware(lock, fetched, store),
            **({TEE_FIRMWARE: tee_firmware} if tee_firmware else {}),
        }
    manifest = _manifest(lock, parts, entries, origins)
    bill = bill_of_materials(manifest, lock, enarx=version)
    return Image({**parts, MANIFEST: manifest.encoded(), BILL: bill}, manifest)


def _tool_key(lock: Lock) -> str:
    return sha256("".join(one.sha256 for one in lock.debs if one.use in {Use.TOOL, Use.IMAGE}).encode()).hex()


def _picked(
    entry: Deb, wanted: Callable[[str], bool], why: str, *, fetched: Fetched, store: Store
) -> dict[str, Member]:
    def make() -> bytes:
        return deb.pack(deb.members(deb.payload(fetched(entry)), wanted))

    return deb.unpack(store.derived("deb", entry.sha256, why, make=make))


def _system(lock: Lock, fetched: Fetched, store: Store) -> dict[str, tuple[Member, str]]:
    """Interpreter, standard library and shared libraries by path, each with its package."""
    found: dict[str, tuple[Member, str]] = {}
    for entry in lock.debs:
        if entry.use in {Use.IMAGE, Use.TOOL}:
            for path, member in _picked(entry, _useful, "system", fetched=fetched, store=store).items():
                found[path] = (member, entry.label)
    return found


def _useful(path: str) -> bool:
    return path == PYTHON or path.startswith((f"{HOME}/", LOADER, *LIBRARIES))


def _library(tools: Mapping[str, Member], name: str) -> str:
    for folder in LIBRARIES:
        if (member := tools.get(folder + name)) is not None:
            return member.link or folder + name
    raise Malformed(Reason.MISSING, f"image lock: no package has {name}")


def _modules(
    lock: Lock,
    own: Mapping[str, bytes],
    system: Mapping[str, tuple[Member, str]],
    *,
    fetched: Fetched,
    store: Store,
    toolbox: Toolbox,
) -> dict[str, Module]:
    candidates = {
        posixpath.relpath(path, HOME): Source(member.body, origin)
        for path, (member, origin) in system.items()
        if path.startswith(f"{HOME}/")
    }
    for entry in lock.wheels:
        raw = store.derived("wheel", entry.sha256, make=partial(_unpacked, entry, fetched))
        members = msgspec.msgpack.decode(raw, type=dict[str, bytes])
        candidates.update({path: Source(body, entry.label) for path, body in members.items()})
    candidates.update({path: Source(body, "enarx") for path, body in own.items()})
    key = _tool_key(lock)

    def compiled(path: str, source: bytes) -> bytes:
        make = partial(toolbox.compiled, f"{HOME}/{path}", source)
        return store.derived("pyc", key, path, sha256(source).hex(), make=make)

    found = closure(ROOTS, STOP, candidates, compiled)
    if INIT not in found:
        raise Faulty(Reason.MISSING, f"image: {INIT}")
    for path in FILES:
        if path in candidates and path.split("/")[0] in _wanted_packages(found, own):
            found[path] = Module(path, candidates[path].body, candidates[path].origin)
    return found


def _unpacked(entry: Wheel, fetched: Fetched) -> bytes:
    return msgspec.msgpack.encode(wheel.members(fetched(entry)))


def _wanted_packages(found: Mapping[str, Module], own: Mapping[str, bytes]) -> set[str]:
    # The runtime binds wasmtime's library itself, so no import of the package says that it is needed.
    native = {"wasmtime"} if "enarx/runtime/engine/capi.py" in own else set()
    return {name.split(".")[0] for name in found} | native


def _kernel(lock: Lock, fetched: Fetched, store: Store) -> tuple[bytes, dict[str, bytes]]:
    def wanted(path: str) -> bool:
        name = path.rpartition("/")[2].removesuffix(".ko.xz").replace("-", "_")
        return path.startswith("/boot/vmlinuz-") or (path.endswith(".ko.xz") and name in KERNEL_MODULES)

    members = _picked(lock.one(Use.KERNEL), wanted, " ".join(KERNEL_MODULES), fetched=fetched, store=store)
    vmlinuz = b""
    modules: dict[str, bytes] = {}
    for path, member in members.items():
        if path.startswith("/boot/"):
            vmlinuz = member.body
        else:
            modules[path.rpartition("/")[2].removesuffix(".ko.xz").replace("-", "_")] = kernel.module(member.body)
    ordered = {name: modules[name] for name in KERNEL_MODULES if name in modules}
    loaded: set[str] = set()
    for name, body in ordered.items():
        if not set(kernel.depends(body)) <= loaded:
            raise Faulty(Reason.MISSING, f"image: module {name} needs {kernel.depends(body)}")
        loaded.add(name)
    if not vmlinuz or len(ordered) != len(KERNEL_MODULES):
        raise Malformed(Reason.MISSING, "kernel package: vmlinuz and modules")
    return vmlinuz, ordered


def _elf(vmlinuz: bytes, store: Store, toolbox: Toolbox) -> bytes:
    frame, size = kernel.payload(vmlinuz)
    found = store.derived("vmlinux", sha256(vmlinuz).hex(), make=lambda: toolbox.unzstd(frame, size))
    if not elf.is_elf(found):
        raise Malformed(Reason.SYNTAX, "kernel: payload")
    return elf.trimmed(found)


def _firmware(lock: Lock, fetched: Fetched, store: Store) -> dict[str, bytes]:
    wanted = set(_FIRMWARE.values())
    members = _picked(
        lock.one(Use.FIRMWARE), wanted.__contains__, " ".join(sorted(wanted)), fetched=fetched, store=store
    )
    if missing := wanted - members.keys():
        raise Malformed(Reason.MISSING, f"firmware package: {min(missing)}")
    return {name: members[path].body for name, path in _FIRMWARE.items()}


def _entries(
    modules: Mapping[str, Module],
    system: Mapping[str, tuple[Member, str]],
    ko: Mapping[str, bytes],
    *,
    kernel_label: str,
) -> tuple[dict[str, cpio.Entry], dict[str, str]]:
    entries: dict[str, cpio.Entry] = dict(DEVICES)
    entries |= {folder: cpio.Entry(directory=True) for folder in FOLDERS}
    origins: dict[str, str] = {}

    def put(path: str, body: bytes, origin: str, *, executable: bool = False) -> None:
        entries[path] = cpio.Entry(body=body, executable=executable)
        origins[path] = origin

    for name, body in ko.items():
        put(f"/lib/modules/{name}.ko", body, kernel_label)
    for module in modules.values():
        library = module.path.endswith(".so")
        body = elf.loaded(module.body) if library else module.body
        put(f"{HOME}/{module.path}", body, module.origin, executable=library)
    interpreter, origin = system[PYTHON]
    put(PYTHON, interpreter.body, origin, executable=True)
    for path, body, label in _libraries([entry.body for entry in entries.values()], system):
        put(path, body, label, executable=True)
    return entries, origins


def _libraries(bodies: list[bytes], system: Mapping[str, tuple[Member, str]]) -> list[tuple[str, bytes, str]]:
    """The shared libraries that the files need, and the libraries that those need."""
    done: dict[str, tuple[str, bytes, str]] = {}
    waiting = [body for body in bodies if elf.is_elf(body) and b".modinfo" not in body[-65536:]]
    while waiting:
        for name in elf.needed(waiting.pop()):
            if name in done:
                continue
            path = LOADER if name == posixpath.basename(LOADER) else _find(name, system)
            member, label = system[path]
            body = system[member.link][0].body if member.link else member.body
            done[name] = (path, body, label)
            waiting.append(body)
    return list(done.values())


def _find(name: str, system: Mapping[str, tuple[Member, str]]) -> str:
    for folder in LIBRARIES:
        if folder + name in system:
            return folder + name
    raise Malformed(Reason.MISSING, f"image lock: no package has {name}")


def _manifest(
    lock: Lock, parts: Mapping[str, bytes], entries: Mapping[str, cpio.Entry], origins: Mapping[str, str]
) -> Manifest:
    listed = (
        File(path=path, size=len(entries[path].body), sha256=sha256(entries[path].body).hex(), origin=origin)
        for path, origin in sorted(origins.items())
    )
    return Manifest(
        version=VERSION,
        command_line=COMMAND_LINE,
        parts={name: describe(body) for name, body in sorted(parts.items())},
        packages={entry.label: entry.sha256 for entry in lock.entries()},
        files=tuple(listed),
    )
