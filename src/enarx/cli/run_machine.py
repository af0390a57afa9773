# SPDX-License-Identifier: Apache-2.0
"""`enarx run --backend tcg|kvm|snp|tdx`: the module as the guest of a machine of its own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.cli import deploy, order
from enarx.cli.run import Command, environment, read, sources
from enarx.errors import Misused, Reason, Undetermined
from enarx.keep.local import SOURCE
from enarx.platform.vm.machine_process import hardware
from enarx.platform.vm.shape import Shape
from enarx.workload import manifest as manifests
from enarx.workload.launch import Launch
from enarx.workload.package import MANIFEST, MODULE, build


def run(command: Command) -> int:
    """Boot a machine, run the module in it, and return the module's exit code."""
    if command.backend not in hardware():
        why = "there is no launcher for it" if command.backend == "sgx" else "not on this machine"
        hint = "--backend process isolates by processes, and proves nothing to anybody"
        raise Undetermined(Reason.BACKEND_UNAVAILABLE, f"{command.backend}: {why}", hint=hint)
    if command.sealed is not None or command.sealed_root is not None:
        raise Misused(Reason.USAGE, "--sealed works on the process backend alone", hint="enarx deploy --sealed")
    if command.require_sandbox:
        raise Misused(Reason.USAGE, "--require-sandbox speaks of the process backend")
    placed = _placed(command, _files(command))
    shape = Shape(memory_mb=command.memory, cpus=command.cpus or 1)
    return deploy.run(placed, None, attest="", events=None, backend=command.backend, shape=shape)


def _files(command: Command) -> dict[str, bytes]:
    """The module, its Enarx.toml as written if there is one, and the files beside it that it names."""
    module = {MODULE: read(command.module)}
    if command.wasmcfgfile is None:
        return module
    manifest = read(command.wasmcfgfile)
    named = manifests.parse(manifest, where=command.wasmcfgfile).sources
    return {**sources(named, command.wasmcfgfile), MANIFEST: manifest, **module}


def _placed(command: Command, files: Mapping[str, bytes]) -> order.Placed:
    package = build(files)
    launch = Launch(
        package=package.digest,
        tenant=_nobody(),
        deployment=secrets.token_bytes(16),
        source=SOURCE,
        args=command.args,
        env=environment(command.env),
        limits=order.limits(command.limits),
        stdio=order.stdio_of(manifests.parse(package.manifest)),
    )
    return order.Placed(launch=launch, cas=b"", nodes={"": package.root, **package.nodes})


def _nobody() -> bytes:
    """A tenant's key that is thrown away: nobody will release anything to this Keep."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
