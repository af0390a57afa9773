# SPDX-License-Identifier: Apache-2.0
"""`--backend kvm|tcg|snp|tdx`: a Keep that is a virtual machine, as `deploy` opens one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from enarx.platform.chip import Chip
from enarx.platform.tpm import maker_store
from enarx.platform.vm.keep_process import VmKeep
from enarx.platform.vm.machine_process import Choice
from enarx.platform.vm.plan import Accelerator, enough
from enarx.platform.vm.shape import PLAIN, Boot, Shape

IMAGE = "ENARX_IMAGE"
"""Environment: the folder of the Keep image, when it is not `image` here."""
BACKENDS = frozenset(Accelerator)


def opened(
    backend: str,
    document: bytes,
    *,
    launch: bytes,
    chip: Chip | None,
    attest: str,
    cas: bytes,
    nodes: Mapping[str, bytes],
    stdio: Mapping[str, int],
    shape: Shape = PLAIN,
    sealed: Path | None = None,
) -> VmKeep:
    """A machine for this launch document. Where it connects is enforced inside, by the manifest."""
    accelerator = Accelerator(backend)
    tee = accelerator in {Accelerator.SNP, Accelerator.TDX}
    boot = shape.boot or (Boot.HASHED if tee else Boot.DIRECT)
    maker = (shape.tpm_maker or maker_store.default_folder()) if boot is Boot.MEASURED else None
    keep = VmKeep(
        document,
        image=Path(os.environ.get(IMAGE, "image")),
        choice=Choice(
            accelerator=accelerator,
            boot=boot,
            launch=launch,
            tpm_maker=maker,
            memory_mb=shape.memory_mb or enough(sum(map(len, nodes.values()))),
            cpus=shape.cpus,
        ),
        chip=chip,
        attest=attest,
        cas=cas,
        nodes=nodes,
        stdio=stdio,
        sealed=sealed,
        reach=lambda _host, _port: True,
    )
    if maker is not None:
        print(f"keep: its TPM is this host's; the root of its maker is {maker / maker_store.ROOT}", file=sys.stderr)
    held = keep.machine.protection
    print(f"keep: {accelerator} machine, {boot} boot; QEMU held by {', '.join(held.applied)}", file=sys.stderr)
    for name, why in {**held.missing, **keep.machine.groups.missing}.items():
        print(f"keep: QEMU not held by {name}: {why}", file=sys.stderr)
    return keep
