# SPDX-License-Identifier: Apache-2.0
"""What stands before the story begins: a CA for this run, a simulated machine, two services."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path

import msgspec

from enarx.cli.demo import policy
from enarx.cli.demo.stage import Stage
from enarx.cli.files import write
from enarx.errors import Faulty, Reason
from enarx.evidence.kind import Kind
from enarx.identity import ca
from enarx.identity.authority import Authority
from enarx.identity.signer import KeySigner
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.platform.simulated.store import ANCHORS, agent_measurement, open_machine

TRUST_DOMAIN = "demo.enarx.invalid"
USER = "demo"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Names and files of one run.

    steward, drawbridge  URLs
    issuer               PEM of the CA of this run
    anchors, machine     the simulated machine's roots, and its folder
    token                the tenant's token at the Drawbridge
    """

    folder: Path
    steward: str
    drawbridge: str
    issuer: Path
    anchors: Path
    machine: Path
    chip: SimulatedSnp
    token: str

    @property
    def host(self) -> str:
        """HOST:PORT of the Drawbridge."""
        return self.drawbridge.removeprefix("https://").rstrip("/")

    def deploying(self, name: str) -> tuple[str | Path, ...]:
        """Arguments of `enarx deploy` for a package of this run."""
        return (
            f"{self.host}/{USER}/{name}:1.0.0",
            "--backend", "process", "--insecure-backend",
            "--simulate-tee", "snp", "--tee-state", self.machine,
            "--steward", self.steward, "--steward-ca", self.issuer,
            "--ca-bundle", self.issuer, "--insecure-auth-token", self.token,
        )  # fmt: skip


def make(stage: Stage, when: datetime) -> Setting:
    """Make the CA and the machine, and start both services on ports that are free."""
    folder = stage.folder
    made = ca.make_root("Enarx demo CA (simulated)", trust_domain=TRUST_DOMAIN, when=when, serial=_serial())
    authority = Authority(made.path, KeySigner(made.key), trust_domain=TRUST_DOMAIN)
    issuer = folder / "ca.pem"
    write(issuer, made.certificates_pem())
    write(folder / "ca.key", made.key_pem(), mode=0o600)
    for role in ("steward", "drawbridge"):
        chain, key = ca.service_certificate(
            authority, ["localhost", "127.0.0.1"], when=when, serial=_serial(), role=role
        )
        write(folder / f"{role}.pem", chain)
        write(folder / f"{role}.key", key, mode=0o600)
    machine = folder / "machine"
    chip = open_machine(Kind.SNP, machine, when=when)
    if not isinstance(chip, SimulatedSnp):
        raise Faulty(Reason.INTERNAL, "the demo simulates SNP")
    token = secrets.token_urlsafe(16)
    write(folder / "tokens", f"{token} {USER}\n".encode(), mode=0o600)
    write(folder / "steward.toml", policy.text("tenant", agent_measurement(), None).encode())
    anchors = machine / ANCHORS
    return Setting(
        folder=folder,
        steward=_steward(stage, folder, anchors),
        drawbridge=_drawbridge(stage, folder),
        issuer=issuer,
        anchors=anchors,
        machine=machine,
        chip=chip,
        token=token,
    )


def _steward(stage: Stage, folder: Path, anchors: Path) -> str:
    return stage.service(
        "steward",
        "--crt", folder / "ca.pem", "--key", folder / "ca.key",
        "--tls-crt", folder / "steward.pem", "--tls-key", folder / "steward.key",
        "--addr", "127.0.0.1", "--port", "0", "--trust-domain", TRUST_DOMAIN,
        "--policy", folder / "steward.toml",
        "--anchors", anchors, "--unsafe-anchors",
        "--database", f"sqlite:///{folder / 'steward.db'}",
    )  # fmt: skip


def _drawbridge(stage: Stage, folder: Path) -> str:
    return stage.service(
        "drawbridge",
        "--store", folder / "store", "--addr", "127.0.0.1:0",
        "--cert", folder / "drawbridge.pem", "--key", folder / "drawbridge.key",
        "--ca", folder / "ca.pem", "--insecure-static-tokens", folder / "tokens",
    )  # fmt: skip


def _serial() -> int:
    return secrets.randbits(127) | 1
