# SPDX-License-Identifier: Apache-2.0
"""`enarx deploy`: open a Keep, have it attested, and deliver a package to it."""

from __future__ import annotations

import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from enarx.cli import order
from enarx.cli.run import cache_folder
from enarx.cli.vm_shape import shaped
from enarx.errors import EnarxError, Misused, Reason, Undetermined
from enarx.evidence.kind import Kind
from enarx.platform import keeps
from enarx.platform.chip import Chip
from enarx.platform.process import ProcessKeep, raised
from enarx.platform.vm.shape import PLAIN, Boot, Shape
from enarx.workload.launch import Launch

STDIO = {"stdin": 0, "stdout": 1, "stderr": 2}


SAID = {
    "state": "keep: {state}",
    "listening": "keep: {name} listens on {address} ({prot})",
    "attesting": "keep: verify it with `enarx verify https://{address} --policy FILE`",
    "time": "keep: time: {source}",
    "not-renewed": "keep: its certificate was not renewed: {reason}: {subject}",
    "resolver": "keep: names are resolved by {by} ({trust})",
    "awaiting": "keep: waits for secrets: {secrets}",
    "awaiting-broker": "keep: waits for the broker of its sealed volume: `enarx broker`",
    "sealed": "keep: /sealed: seal: {seal}, rollback: {rollback}",
    "not-sealed": "keep: /sealed: {reason}: {subject}",
    "trace": "{text}",
}
"""What is said of an event; of others nothing."""


def deploy(
    package: Annotated[
        str, typer.Argument(help="[HOST/]USER/REPO:TAG, https://… of a tag, file:DIR, or image:steward.")
    ],
    arguments: Annotated[list[str] | None, typer.Argument(help="After `--`: arguments for the program.")] = None,
    backend: Annotated[str, typer.Option(envvar="ENARX_BACKEND", help="Where the Keep is opened.")] = "auto",
    insecure_backend: Annotated[
        bool, typer.Option("--insecure-backend", help="Accept a backend without a TEE; certificates will say so.")
    ] = False,
    simulate_tee: Annotated[
        Kind | None, typer.Option(help="Simulate this TEE; only together with --insecure-backend.")
    ] = None,
    boot: Annotated[
        Boot | None,
        typer.Option(help="How a kvm or tcg machine starts: direct (default), or measured into a software TPM."),
    ] = None,
    tpm_maker: Annotated[
        Path | None,
        typer.Option(
            help="Folder of this host's maker of software TPMs.", show_default="~/.local/state/enarx/tpm-maker"
        ),
    ] = None,
    memory: Annotated[
        int | None, typer.Option(help="Megabytes of a machine; by default what the package's size suggests.", min=1)
    ] = None,
    cpus: Annotated[int | None, typer.Option(help="Processors of a machine (1); a TEE measures them.", min=1)] = None,
    tee_state: Annotated[Path | None, typer.Option(help="Folder of the simulated machine.")] = None,
    steward: Annotated[str | None, typer.Option(help="URL of the Steward that gives the Keep its identity.")] = None,
    steward_ca: Annotated[Path | None, typer.Option(help="PEM of the Steward's CA; the Keep pins its key.")] = None,
    ca_bundle: Annotated[
        Path | None, typer.Option(envvar="ENARX_CA_BUNDLE", help="PEM of the CA of the Drawbridge.")
    ] = None,
    token: Annotated[
        str | None, typer.Option("--insecure-auth-token", envvar="ENARX_INSECURE_AUTH_TOKEN", help="Your token there.")
    ] = None,
    digest: Annotated[str | None, typer.Option(help="The package's digest, hexadecimal, if you know it.")] = None,
    tenant_key: Annotated[Path | None, typer.Option(help="PEM of your key; made where there is none.")] = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the program's environment.")] = None,
    await_secret: Annotated[
        list[str] | None, typer.Option(help="Wait until a secret of this NAME is released; see `enarx release`.")
    ] = None,
    resolver: Annotated[
        str | None, typer.Option(help="Who resolves names: tls://HOST, https://HOST/dns-query, host, or '' for nobody.")
    ] = None,
    resolver_ca: Annotated[
        Path | None, typer.Option(help="PEM of the CA of that resolver, if it is not a public one.")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="NAME=N: cap a limit of Enarx.toml; whole numbers here.")
    ] = None,
    sealed: Annotated[
        Path | None, typer.Option(help="Folder of this machine where the Keep stores `/sealed`, encrypted.")
    ] = None,
    package_signature: Annotated[
        Path | None,
        typer.Option(help='The package\'s signature, for policies that list signers and [sealed] bind = "signer".'),
    ] = None,
    package_key: Annotated[Path | None, typer.Option(help="PEM of the public key that made it.")] = None,
    attest: Annotated[str, typer.Option(help="HOST:PORT where relying parties may ask.")] = "127.0.0.1:0",
    save_launch: Annotated[Path | None, typer.Option(help="Write the launch document here.")] = None,
    events: Annotated[Path | None, typer.Option(help="Append the Keep's events here, one JSON object a line.")] = None,
) -> int:
    """Deliver a package to an attested Keep and run it; the exit code is the program's."""
    machine = _machine(backend, simulate_tee, tee_state, insecure=insecure_backend)
    shape = shaped(backend, boot, simulate_tee, tpm_maker, memory=memory, cpus=cpus)
    placed = order.place(
        order.Wishes(
            package=package,
            arguments=tuple(arguments or ()),
            environment=order.environment(env or []),
            steward=steward,
            steward_ca=steward_ca,
            ca_bundle=ca_bundle,
            token=token,
            digest=digest,
            tenant_key=tenant_key,
            secrets=tuple(await_secret or ()),
            resolver=resolver,
            resolver_ca=resolver_ca,
            package_signature=package_signature,
            package_key=package_key,
            limits=order.limits(limit or []),
        )
    )
    if save_launch is not None:
        from enarx.cli.files import write

        write(save_launch, placed.launch.encoded())
    return run(
        placed,
        launched(machine, placed.launch),
        attest=attest,
        events=events,
        backend=backend,
        shape=shape,
        sealed=sealed,
    )


def _machine(backend: str, simulate: Kind | None, state: Path | None, *, insecure: bool) -> Any:
    """The simulated machine to launch on, or None for a Keep that says `none`."""
    if backend == "auto":
        backend = "process"  # the only one that this machine is known to have
    if backend in {"snp", "tdx"}:
        return None
    if backend not in {"process", "kvm", "tcg"}:
        if backend != "sgx":
            raise Misused(Reason.BACKEND_UNKNOWN, f"backend {backend!r}", hint="enarx platform info")
        raise Undetermined(
            Reason.BACKEND_UNAVAILABLE, f"backend {backend!r} cannot be opened here", hint="enarx platform info"
        )
    if not insecure:
        raise Misused(
            Reason.NO_TEE,
            f"backend {backend!r} has no TEE: its host can read everything",
            hint="--insecure-backend accepts that, and every certificate will say so",
        )
    if simulate is None:
        return None
    from enarx.platform.simulated.store import open_machine

    folder = state or Path.home() / ".local" / "state" / "enarx" / f"simulated-{simulate}"
    return open_machine(simulate, folder, when=datetime.now(UTC))  # noqa: TID251 - the door


def launched(machine: Any, launch: Launch) -> Chip | None:
    """The machine with this launch measured: the image's stand-in, and the launch digest in its field."""
    if machine is None:
        return None
    from enarx.platform.simulated import store

    return store.launched(machine, launch.digest(), store.agent_measurement())


def _opened(
    backend: str, placed: order.Placed, chip: Chip | None, *, attest: str, shape: Shape, sealed: Path | None
) -> Any:
    """The Keep on its backend: an agent in a process, or the same agent in a machine of its own."""
    document = placed.launch.encoded()
    stdio = {name: STDIO[name] for name, source in placed.launch.stdio.items() if source == "host"}
    if backend in {"process", "auto"}:
        return ProcessKeep(
            document,
            chip=chip,
            attest=attest,
            cas=placed.cas,
            nodes=placed.nodes,
            stdio=stdio,
            code=cache_folder(),
            sealed=sealed,
        )
    from enarx.cli.vm_backend import opened

    return opened(
        backend,
        document,
        launch=placed.launch.digest(),
        chip=chip,
        attest=attest,
        cas=placed.cas,
        nodes=placed.nodes,
        stdio=stdio,
        sealed=sealed,
        shape=shape,
    )


def run(
    placed: order.Placed,
    chip: Chip | None,
    *,
    attest: str,
    events: Path | None,
    backend: str = "process",
    shape: Shape = PLAIN,
    sealed: Path | None = None,
) -> int:
    """Open the Keep, tell what happens, and pass on the program's exit code."""
    keep = _opened(backend, placed, chip, attest=attest, shape=shape, sealed=sealed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: keep.ask_to_stop())
    refused: EnarxError | None = None
    code: int | None = None
    seen = {
        "backend": backend,
        "package": placed.launch.package.hex(),
        "launch": placed.launch.digest().hex(),
        "pid": keep.pid,
    }
    with keep, keeps.Announced(inspect=lambda: seen, logs=lambda: _console(keep), stop=keep.ask_to_stop):
        for event in keep.events():
            _tell(event, events)
            seen |= {name: event[name] for name in ("state", "address") if name in event}
            if event.get("event") == "time":
                seen["time"] = event.get("source")
            if event.get("event") == "refused":
                refused = raised(event)
            elif event.get("event") == "ended":
                code = int(event.get("code", 0))
        keep.wait()
    if refused is not None:
        raise refused
    if code is None:
        raise _silent(keep)
    return code


def _silent(keep: Any) -> Undetermined:
    """The agent is gone and has said nothing; its machine's kernel may have."""
    machine = getattr(keep, "machine", None)
    words = "" if machine is None else machine.last_words(guess=False)
    hint = "--memory MB" if "Out of memory" in words else ""
    return Undetermined(Reason.KEEP_DIED, f"the Keep's agent ended without saying why: {words}".rstrip(": "), hint=hint)


def _console(keep: Any) -> str:
    machine = getattr(keep, "machine", None)
    return machine.console() if machine is not None else ""


def _tell(event: dict[str, Any], events: Path | None) -> None:
    if events is not None:
        with events.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, default=_plain) + "\n")
    if (said := SAID.get(str(event.get("event")))) is None:
        return
    shown = said.format_map(_Blank({**event, "secrets": ", ".join(map(str, event.get("secrets", ())))}))
    print("".join(c if c.isprintable() or c == "\n" else "?" for c in shown.rstrip()), file=sys.stderr, flush=True)


class _Blank(dict[str, Any]):
    """An event of an agent that left something out is still told."""

    def __missing__(self, key: str) -> str:
        return ""


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
