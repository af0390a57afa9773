# SPDX-License-Identifier: Apache-2.0
"""What was typed of the machine that `deploy` opens, held against its backend."""

from __future__ import annotations

from pathlib import Path

from enarx.errors import Misused, Reason
from enarx.evidence.kind import Kind
from enarx.platform.vm.shape import Boot, Shape


def shaped(
    backend: str,
    boot: Boot | None,
    simulate: Kind | None,
    maker: Path | None,
    *,
    memory: int | None,
    cpus: int | None,
) -> Shape:
    """How a machine starts; raises for what its backend has no choice in."""
    for option, typed in (("--memory", memory), ("--cpus", cpus)):
        if typed is not None and backend in {"process", "auto"}:
            raise Misused(Reason.USAGE, f"{option} with backend {backend!r}", hint="a choice of machines")
    if boot is not None and backend not in {"kvm", "tcg"}:
        raise Misused(Reason.USAGE, f"--boot with backend {backend!r}", hint="a choice of kvm and tcg")
    if boot is Boot.HASHED:
        raise Misused(Reason.USAGE, "--boot hashed", hint="what snp and tdx do by themselves")
    if boot is Boot.MEASURED and simulate is not None:
        raise Misused(
            Reason.USAGE, "--boot measured with --simulate-tee", hint="the machine's own TPM makes the evidence"
        )
    if maker is not None and boot is not Boot.MEASURED:
        raise Misused(Reason.USAGE, "--tpm-maker without --boot measured")
    return Shape(boot=boot, tpm_maker=maker, memory_mb=memory, cpus=cpus or 1)
