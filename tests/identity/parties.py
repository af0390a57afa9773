"""Who takes part: a CA, a Keep on a simulated processor, and a Steward that runs as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.identity.ca import MadeCa, make_intermediate, make_root
from enarx.identity.client import StewardClient
from enarx.identity.issued import Identity
from enarx.identity.request import make, spki_of
from enarx.identity.signer import KeySigner
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.workload.launch import Launch

TRUST_DOMAIN = "tenant.test"

ENARX = (sys.executable, "-c", "from enarx.cli.main import entry; entry()")

POLICY = """
name = "test"
security_version = 1
binding = "enarx-binding-1"
freshness = "nonce"
launch_field = "required"
workload = "unchecked"
package_signers = "unchecked"
minimum_package_security_version = "unchecked"
expires = "unchecked"
revocation = "unchecked"

[snp]
"""


class Pki:
    """A root with an issuing CA below it, as files."""

    def __init__(self, folder: Path, words: str = "simulated", name: str = "ca", domain: str = "") -> None:
        now = datetime.now(UTC)
        domain = domain or TRUST_DOMAIN
        self.folder = folder
        self.root = make_root(f"test root ({words})", trust_domain=domain, when=now, serial=1)
        self.ca: MadeCa = make_intermediate(
            self.root.path,
            KeySigner(self.root.key),
            f"test CA ({words})",
            trust_domain=domain,
            when=now,
            serial=2,
        )
        self.crt = folder / f"{name}.crt"
        self.key = folder / f"{name}.key"
        self.crt.write_bytes(self.ca.certificates_pem())
        self.key.write_bytes(self.ca.key_pem())

    @property
    def pin(self) -> bytes:
        from enarx.codec.digest import sha256

        return sha256(self.ca.path[0].spki)


class Keep:
    """What a Keep does to get an identity, step by step."""

    def __init__(self, chip: SimulatedSnp, pin: bytes, steward: str, **launch: Any) -> None:
        self.chip = chip
        self.key = ec.generate_private_key(ec.SECP256R1())
        tenant = spki_of(ec.generate_private_key(ec.SECP256R1()).public_key())
        said = {"package": secrets.token_bytes(32), "deployment": secrets.token_bytes(16), **launch}
        self.launch = Launch(tenant=tenant, steward=steward, steward_ca=pin, **said)
        self.url = steward
        self.pin = pin

    @property
    def request(self) -> bytes:
        return make(self.key)

    def binding(self, nonce: bytes) -> Binding:
        spki = spki_digest(spki_of(self.key.public_key()))
        return Binding(purpose=Purpose.ISSUE, spki=spki, nonce=nonce, launch=self.launch.digest())

    def evidence(self, nonce: bytes, **fields: Any) -> Any:
        from enarx.evidence.envelope import Evidence
        from enarx.evidence.kind import Kind

        report = self.chip.report(self.binding(nonce).sha512(), **{"host_data": self.launch.digest(), **fields})
        return (Evidence(Kind.SNP, report),)

    def client(self) -> StewardClient:
        return StewardClient(self.url, ca_pins=[self.pin])

    def identity(self, policy: str | None = None) -> Identity:
        with self.client() as steward:
            nonce = steward.nonce(self.launch.digest(), policy=policy)
            return steward.attest(
                request=self.request,
                evidence=self.evidence(nonce),
                endorsements=self.chip.endorsements(),
                nonce=nonce,
                launch=self.launch,
                policy=policy,
            )


class Serving:
    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextlib.contextmanager
def serving(folder: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> Iterator[Serving]:
    log = folder / f"log-{secrets.token_hex(4)}"
    command = [*ENARX, "steward", "serve", "--addr", "127.0.0.1", "--port", "0"]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **(env or {})},
        )
        try:
            said = process.stdout.readline()
            assert said.startswith("steward: listening on "), log.read_text()
            yield Serving(process, said.split()[-1], log)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def anchors(folder: Path, chip: SimulatedSnp) -> Path:
    made = folder / "anchors"
    made.mkdir(exist_ok=True)
    import ssl

    (made / "amd.pem").write_text(ssl.DER_cert_to_PEM_cert(chip.root))
    return made


def policy_text(**changes: str) -> str:
    """A policy that accepts the simulated processor; `changes` replace lines of its [snp] section."""
    import msgspec

    from enarx.appraisal.snp import unchecked

    section = msgspec.to_builtins(unchecked())
    lines = {key: json.dumps(value) for key, value in section.items()} | changes
    return POLICY + "\n".join(f"{key} = {value}" for key, value in lines.items()) + "\n"
