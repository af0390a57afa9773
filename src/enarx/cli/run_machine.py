# SPDX-License-Identifier: Apache-2.0
"""`enarx run --backend tcg|kvm|snp|tdx`: the module as the guest of a machine of its own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.cli import deploy, order
from enarx.keep.local import SOURCE
from enarx.workload import manifest as manifests
from enarx.workload.launch import Launch
from enarx.workload.package import MANIFEST, MODULE, build


def run(
    backend: str,
    module: bytes,
    manifest: bytes | None,
    files: Mapping[str, bytes],
    *,
    args: tuple[str, ...],
    env: Mapping[str, str],
) -> int:
    """Boot a machine, run the module in it, and return the module's exit code.

    manifest  its Enarx.toml as written; None for the standard streams and nothing else
    files     the files beside it that it names
    """
    own = {} if manifest is None else {MANIFEST: manifest}
    package = build({**files, **own, MODULE: module})
    launch = Launch(
        package=package.digest,
        tenant=_nobody(),
        deployment=secrets.token_bytes(16),
        source=SOURCE,
        args=args,
        env=dict(env),
        stdio=order.stdio_of(manifests.parse(package.manifest)),
    )
    placed = order.Placed(launch=launch, cas=b"", nodes={"": package.root, **package.nodes})
    return deploy.run(placed, None, attest="", events=None, backend=backend)


def _nobody() -> bytes:
    """A tenant's key that is thrown away: nobody will release anything to this Keep."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
