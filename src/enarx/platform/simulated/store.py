# SPDX-License-Identifier: Apache-2.0
"""A simulated machine on disk: its vendor's keys, and the anchors under which it is believed.

Made once and used by every Keep that is opened on it, as a real machine has one vendor. Whoever
can read the folder can sign as that vendor; it is for development and demonstration alone.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import enarx
from enarx.errors import Malformed, Misused, Reason, Undetermined
from enarx.evidence.anchor import Anchors
from enarx.evidence.intel_quote import SGX, TDX
from enarx.evidence.kind import Kind
from enarx.platform.chip import Chip
from enarx.platform.simulated import pki
from enarx.platform.simulated.intel_pki import SimulatedIntel
from enarx.platform.simulated.intel_quote import Machine
from enarx.platform.simulated.sgx import SimulatedSgx
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.platform.simulated.tdx import SimulatedTdx

ANCHORS = "anchors"
KINDS = (Kind.SNP, Kind.TDX, Kind.SGX)
_INTEL = ("root", "ca", "signer")

Simulated = SimulatedSnp | SimulatedTdx | SimulatedSgx


def open_machine(kind: Kind, folder: Path, *, when: datetime) -> Simulated:
    """The simulated machine in `folder`, made there if it is new, with nothing launched on it yet."""
    if kind not in KINDS:
        raise Undetermined(
            Reason.BACKEND_UNAVAILABLE, f"a simulated {kind} machine", hint=f"simulated here: {', '.join(KINDS)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _snp(folder, when) if kind is Kind.SNP else _intel(kind, folder, when)
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{folder}: {(error.strerror or '').lower()}") from None
    except (ValueError, TypeError):
        raise Malformed(Reason.SYNTAX, f"{folder}: not a simulated {kind} machine") from None


def launched(machine: Simulated, launch: bytes, measurement: bytes) -> Chip:
    """The machine with one guest: its measurement (48 bytes) and the launch digest (32 bytes) in their fields."""
    match machine:
        case SimulatedSnp():
            return machine.launched(measurement=measurement, host_data=launch)
        case SimulatedTdx():
            fields = {**machine.fields, "mrtd": measurement, "mrconfigid": launch.ljust(48, b"\0")}
            return SimulatedTdx(machine.machine, machine.when, fields)
        case SimulatedSgx():
            # MRENCLAVE has 32 bytes: the first of the stand-in's
            enclave = {"mrenclave": measurement[:32], "config_id": launch.ljust(64, b"\0")}
            return SimulatedSgx(machine.machine, machine.when, {**machine.fields, **enclave})


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


def _snp(folder: Path, when: datetime) -> SimulatedSnp:
    if (folder / "chip.key").exists():
        return SimulatedSnp.from_files(folder)
    chip = SimulatedSnp.made(when)
    chip.to_files(folder)
    _write_anchors(folder, chip.anchors())
    return chip


def _intel(kind: Kind, folder: Path, when: datetime) -> SimulatedTdx | SimulatedSgx:
    """Each opening is another platform of the same vendor."""
    if (folder / "root.key").exists():
        intel = SimulatedIntel(*(_authority(folder, name) for name in _INTEL))
    else:
        intel = SimulatedIntel.made(when)
        for name in _INTEL:
            _keep(folder, name, getattr(intel, name))
        _write_anchors(folder, intel.anchors())
    tee = TDX if kind is Kind.TDX else SGX
    machine = Machine.made(when, tee, intel=intel)
    return SimulatedTdx.made(when, machine=machine) if kind is Kind.TDX else SimulatedSgx.made(when, machine=machine)


def _keep(folder: Path, name: str, authority: pki.Authority) -> None:
    key = folder / f"{name}.key"
    key.touch(mode=0o600)
    key.write_bytes(
        authority.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (folder / f"{name}.pem").write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))


def _authority(folder: Path, name: str) -> pki.Authority:
    key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(name)
    return pki.Authority(x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()), key)


def _write_anchors(folder: Path, anchors: Anchors) -> None:
    (folder / ANCHORS).mkdir(exist_ok=True)
    for vendor, roots in anchors.roots.items():
        (folder / ANCHORS / f"{vendor}.pem").write_text("".join(root.pem() for root in roots))
