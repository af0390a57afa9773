# SPDX-License-Identifier: Apache-2.0
"""A simulated machine on disk: its chip's key, and the anchors under which it is believed.

Made once and used by every Keep that is opened on it, as a real machine has one chip. Whoever
can read the folder can sign as that chip; it is for development and demonstration alone.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import enarx
from enarx.errors import Misused, Reason, Undetermined
from enarx.evidence.anchor import Vendor
from enarx.evidence.kind import Kind
from enarx.platform.simulated.snp import SimulatedSnp

ANCHORS = "anchors"
SIMULATED_KINDS = (Kind.SNP,)


def open_machine(kind: Kind, folder: Path, *, when: datetime) -> SimulatedSnp:
    """The simulated machine in `folder`, made there if it is new."""
    if kind not in SIMULATED_KINDS:
        known = ", ".join(SIMULATED_KINDS)
        raise Undetermined(Reason.BACKEND_UNAVAILABLE, f"a simulated {kind} machine", hint=f"simulated here: {known}")
    try:
        if (folder / "chip.key").exists():
            return SimulatedSnp.from_files(folder)
        return _made(folder, when)
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{folder}: {(error.strerror or '').lower()}") from None


def _made(folder: Path, when: datetime) -> SimulatedSnp:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    chip = SimulatedSnp.made(when)
    anchors = folder / ANCHORS
    anchors.mkdir(exist_ok=True)
    chip.to_files(folder)
    (anchors / f"{Vendor.AMD}.pem").write_text("".join(root.pem() for root in chip.anchors().of(Vendor.AMD)))
    return chip


def agent_measurement() -> bytes:
    """What a simulated launch measures in place of an image: SHA-384 over this agent's sources.

    48 bytes, over the sorted relative paths and the SHA-384 of each file. A real TEE measures
    firmware, kernel and image; this stands in for them, so that a changed agent has another
    measurement.
    """
    top = Path(enarx.__file__).parent
    whole = hashlib.sha384()
    for path in sorted(top.rglob("*.py")):
        whole.update(f"{path.relative_to(top)}\0".encode())
        whole.update(hashlib.sha384(path.read_bytes()).digest())
    return whole.digest()
