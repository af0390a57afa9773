# SPDX-License-Identifier: Apache-2.0
"""`enarx run`: a local module in a Keep, its streams ours.

Reads its own arguments and starts the guest's process before anything else is loaded: half of the time
of a short program is the loading of its launcher.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from enarx.runtime.spawn import GuestProcess, spawn

USAGE = """\
Usage: enarx run MODULE [--wasmcfgfile F] [--backend B] [--dir HOST::GUEST] [--env NAME=VALUE]
                 [--limit NAME=N] [--sealed FOLDER --sealed-root F] [--memory MB] [--cpus N] [-- ARGS]

Run a local WebAssembly module in a Keep. Its exit code becomes ours.

  --wasmcfgfile F    the module's Enarx.toml (default: standard streams and nothing else)
  --backend B        process (default), kvm, tcg, snp, tdx or sgx
  --dir HOST::GUEST  show the guest a folder of this machine (process only; may be repeated)
  --env NAME=VALUE   add to the guest's environment, after that of Enarx.toml (may be repeated)
  --limit NAME=N     cap a limit of Enarx.toml: memory, cpu_seconds, … (may be repeated)
  --sealed FOLDER    where the guest's /sealed is kept, encrypted (process only)
  --sealed-root F    the 32 bytes that it is encrypted under; made where there is no such file
  --memory MB        of a machine; by default what the module's size suggests
  --cpus N           of a machine (1)
  --require-sandbox  do not run where the kernel lacks a part of the guest's sandbox
  -- ARGS            arguments for the guest, after those of Enarx.toml
"""
BACKENDS = ("process", "kvm", "tcg", "snp", "tdx", "sgx")
VALUED = (
    *("--wasmcfgfile", "--backend", "--dir", "--env", "--limit", "--sealed", "--sealed-root"),
    *("--memory", "--cpus"),
)
SIGINT = 2
MOST_EXIT = 255
MAX_BYTES = 256_000_000
"""Of a module, as of a whole package (`enarx.workload.package`)."""


class Command(NamedTuple):
    """The arguments as typed."""

    module: str = ""
    wasmcfgfile: str | None = None
    backend: str = "process"
    folders: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    sealed: str | None = None
    sealed_root: str | None = None
    memory: int | None = None
    cpus: int | None = None
    args: tuple[str, ...] = ()
    require_sandbox: bool = False
    help: bool = False


def main(argv: list[str]) -> int:
    """Run one module and return its exit code."""
    # An interrupt ends this program at once, and the kernel ends the guest with it.
    ctypes.PyDLL(None).signal(SIGINT, None)
    _occupy()
    command = parse(argv)
    if command.help:
        sys.stdout.write(USAGE)
        return 0
    if command.backend != "process":
        from enarx.cli.run_machine import run as run_in_machine

        return run_in_machine(command)
    guest = spawn(folders=bool(command.folders))
    try:
        return _run(command, guest)
    finally:
        guest.kill()


def _occupy() -> None:
    """Closed standard streams become null files, lest something of ours gets their number and is handed over."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def parse(argv: list[str]) -> Command:
    """The arguments; `Misused` for what `run` does not know."""
    from enarx.errors import Misused, Reason

    rest, command = list(argv), Command()
    while rest and rest[0] != "--":
        word = rest.pop(0)
        name, joined, value = word.partition("=")
        if word in ("-h", "--help"):
            return command._replace(help=True)
        if word == "--require-sandbox":
            command = command._replace(require_sandbox=True)
        elif name in VALUED:
            if not joined and not rest:
                raise Misused(Reason.USAGE, f"{name} needs a value", hint="enarx run --help")
            command = _with(command, name, value if joined else rest.pop(0))
        elif word.startswith("-"):
            raise Misused(Reason.USAGE, f"unknown option {word}", hint="enarx run --help")
        elif command.module:
            hint = f"arguments for the guest go after --: enarx run {command.module} -- {word}"
            raise Misused(Reason.USAGE, f"a second module {word!r}", hint=hint)
        else:
            command = command._replace(module=word)
    return _complete(command._replace(args=tuple(rest[1:])))


def _with(command: Command, name: str, value: str) -> Command:
    from enarx.errors import Misused, Reason

    match name:
        case "--dir":
            changed = command._replace(folders=(*command.folders, value))
        case "--env":
            changed = command._replace(env=(*command.env, value))
        case "--limit":
            changed = command._replace(limits=(*command.limits, value))
        case "--wasmcfgfile":
            changed = command._replace(wasmcfgfile=value)
        case "--sealed":
            changed = command._replace(sealed=value)
        case "--sealed-root":
            changed = command._replace(sealed_root=value)
        case "--memory":
            changed = command._replace(memory=_count(name, value))
        case "--cpus":
            changed = command._replace(cpus=_count(name, value))
        case _:
            if value not in BACKENDS:
                raise Misused(Reason.BACKEND_UNKNOWN, f"backend {value!r}", hint=f"one of {', '.join(BACKENDS)}")
            changed = command._replace(backend=value)
    return changed


def _complete(command: Command) -> Command:
    from enarx.errors import Misused, Reason

    if not command.module:
        raise Misused(Reason.USAGE, "run needs a module", hint="enarx run --help")
    if command.folders and command.backend != "process":
        hint = "put the files into a package"
        raise Misused(Reason.USAGE, "--dir works on the process backend alone", hint=hint)
    if command.backend == "process" and (command.memory or command.cpus):
        raise Misused(
            Reason.USAGE, "--memory and --cpus are of machines", hint="--backend tcg, or --limit memory=BYTES"
        )
    return command


def _run(command: Command, guest: GuestProcess) -> int:
    from enarx.errors import Malformed, Reason, Unacceptable
    from enarx.runtime.process import run
    from enarx.runtime.store import CodeStore
    from enarx.runtime.workload import Workload
    from enarx.workload.manifest import DEFAULT
    from enarx.workload.manifest import parse as parse_manifest

    module, manifest, tree = read(command.module), DEFAULT, {}
    mount = None
    if command.wasmcfgfile is not None:
        manifest = parse_manifest(read(command.wasmcfgfile), where=command.wasmcfgfile)
        tree = sources(manifest.sources, command.wasmcfgfile)
    workload = Workload(
        module,
        manifest,
        tree,
        folders=_folders(command.folders),
        args=command.args,
        env=environment(command.env),
        caps=_limits(command.limits),
        require_sandbox=command.require_sandbox,
        described=command.wasmcfgfile is not None,
    )
    if command.sealed is not None or command.sealed_root is not None:
        from enarx.cli.run_sealed import mounted

        mount = mounted(command.sealed, command.sealed_root, manifest)
    try:
        ending = run(workload, store=CodeStore(cache_folder()), process=guest, on_running=_warn, mount=mount)
    except Malformed as error:
        raise Malformed(error.reason, f"{command.module}: {error.subject}", hint=error.hint) from None
    if ending.trace:
        print(ending.trace, file=sys.stderr)
    if refusal := ending.error():
        raise refusal
    if ending.code > MOST_EXIT:
        raise Unacceptable(
            Reason.UNKNOWN_VALUE, f"the guest exited with {ending.code}, at most {MOST_EXIT} is portable"
        )
    return ending.code


def _warn(lacking: tuple[str, ...]) -> None:
    """What confines the guest less than it should."""
    for part in lacking:
        print(f"enarx: sandbox: this kernel lacks {part}", file=sys.stderr)


def sources(names: tuple[str, ...], beside: str) -> dict[str, bytes]:
    """The files beside an Enarx.toml that it names."""
    return {name: read(str(Path(beside).parent / name)) for name in names}


def _count(name: str, value: str) -> int:
    from enarx.errors import Misused, Reason

    if not (value.isascii() and value.isdecimal() and int(value[:9]) > 0):
        raise Misused(Reason.SYNTAX, f"{name} {value!r}", hint=f"{name} with a number")
    return int(value[:9])


def environment(typed: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE pairs as typed."""
    from enarx.errors import Misused, Reason

    pairs = [word.partition("=") for word in typed]
    if strange := next((word for word in typed if word.find("=") < 1), None):
        raise Misused(Reason.SYNTAX, f"--env {strange!r}", hint="--env NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _limits(typed: tuple[str, ...]) -> Any:
    from enarx.workload.manifest import Limits

    if not typed:
        return Limits()
    import msgspec

    from enarx.cli.limits import limits

    return msgspec.convert(limits(typed), Limits)


def _folders(typed: tuple[str, ...]) -> dict[str, str]:
    from enarx.errors import Misused, Reason

    folders: dict[str, str] = {}
    for word in typed:
        host, _, guest = word.partition("::")
        if not Path(host).is_dir():
            raise Misused(Reason.FILE_UNREADABLE, f"{host}: not a folder", hint="--dir HOST::GUEST")
        folders[guest or host] = host
    return folders


def cache_folder() -> Path:
    """Where compiled code is kept, as the XDG base directory specification has it."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if base.startswith("/") else Path.home() / ".cache") / "enarx" / "code"


def read(path: str) -> bytes:
    """As `enarx.cli.files.read`, whose imports the start of `run` cannot afford."""
    from enarx.errors import Malformed, Misused, Reason

    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{path}: more than {MAX_BYTES} bytes")
    return raw
