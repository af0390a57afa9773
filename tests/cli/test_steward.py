"""`enarx steward serve`: what it refuses before it answers a single request."""

from __future__ import annotations

import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import ENARX, TRUST_DOMAIN, Keep, Pki, anchors, policy_text, serving


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chip = SimulatedSnp.made(datetime.now(UTC))
        self.pki = Pki(folder)
        self.policy = folder / "policy.toml"
        self.policy.write_text(policy_text())
        self.anchors = anchors(folder, self.chip)

    def arguments(self, pki: Pki | None = None, *more: str | Path) -> list[str]:
        pki = pki or self.pki
        said = ["--crt", pki.crt, "--key", pki.key, "--policy", self.policy, "--trust-domain", TRUST_DOMAIN, *more]
        return [str(one) for one in said]

    def unsafe(self) -> list[str]:
        return ["--anchors", str(self.anchors), "--unsafe-anchors"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def ended(*arguments: str | Path) -> tuple[int, str]:
    command = [*ENARX, "steward", "serve", "--addr", "127.0.0.1", "--port", "0", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_other_anchors_with_a_ca_that_does_not_say_simulated(world: World, tmp_path: Path) -> None:
    code, said = ended(*world.arguments(Pki(tmp_path, words="production")), *world.unsafe())
    assert (2, True) == (code, said.startswith("enarx: simulated: "))


def test_the_vendors_anchors_with_a_ca_that_says_simulated(world: World) -> None:
    code, said = ended(*world.arguments())
    assert (2, True) == (code, said.startswith("enarx: simulated: "))


def test_a_policy_for_keeps_without_a_tee_with_a_ca_that_does_not_say_none(world: World, tmp_path: Path) -> None:
    policy = tmp_path / "none.toml"
    policy.write_text(policy_text().replace("test", "bare") + '\n[none]\ninsecure = "accepted"\n')
    code, said = ended(*world.arguments(None, "--policy", policy), *world.unsafe())
    assert (2, True) == (code, said.startswith("enarx: no-tee: "))


def test_policies_for_tees_with_a_production_ca_that_says_none(world: World, tmp_path: Path) -> None:
    code, said = ended(*world.arguments(Pki(tmp_path, words="none")))
    assert (2, True) == (code, said.startswith("enarx: no-tee: "))


def test_the_key_of_another_ca(world: World, tmp_path: Path) -> None:
    other = Pki(tmp_path)
    code, said = ended(*world.arguments(), *world.unsafe(), "--key", other.key)
    assert (2, True) == (code, said.startswith("enarx: key-invalid: "))


def test_an_encrypted_key_and_its_passphrase(world: World, tmp_path: Path) -> None:
    key, passphrase = tmp_path / "ca.key", tmp_path / "passphrase"
    key.write_bytes(world.pki.ca.key_pem(b"correct horse"))
    assert b"ENCRYPTED" in key.read_bytes()
    passphrase.write_text("wrong\n")
    code, said = ended(*world.arguments(), *world.unsafe(), "--key", key)
    assert (2, "hint: an encrypted key needs --key-passphrase-file") == (code, said.splitlines()[-1])
    code, said = ended(*world.arguments(), *world.unsafe(), "--key", key, "--key-passphrase-file", passphrase)
    assert 2 == code
    assert "correct horse" not in said
    passphrase.write_text("correct horse\n")
    arguments = [*world.arguments(), *world.unsafe(), "--key", key, "--key-passphrase-file", passphrase]
    with serving(tmp_path, *arguments) as steward:
        Keep(world.chip, world.pki.pin, steward.url).identity()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--crt", "/nonexistent"], "file-unreadable"),
        (["--policy", "/nonexistent"], "file-unreadable"),
        (["--trust-domain", "Not A Domain"], "syntax"),
        (["--database", "mysql://x"], "usage"),
        (["--database", "what"], "usage"),
        (["--tls-crt", "/nonexistent"], "usage"),
        (["--administrators", "/nonexistent"], "file-unreadable"),
        (["--anchors", "/nonexistent"], "file-unreadable"),
        (["--addr", "host.invalid"], "name-not-resolved"),
        (["--legacy-policy", "/nonexistent"], "file-unreadable"),
    ],
)
def test_what_it_was_told_is_checked_before_it_serves(world: World, arguments: list[str], reason: str) -> None:
    code, said = ended(*world.arguments(), *world.unsafe(), *arguments)
    assert 2 == code, said
    assert said.startswith(f"enarx: {reason}: ") or reason == "file-unreadable", said


def test_a_database_that_does_not_answer(world: World) -> None:
    code, said = ended(*world.arguments(), *world.unsafe(), "--database", "postgresql+psycopg://x@127.0.0.1:1/x")
    assert (3, True) == (code, said.startswith("enarx: unreachable: "))


def test_a_port_in_use(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = ended(*world.arguments(), *world.unsafe(), "--port", str(port))
    assert (2, True) == (code, said.startswith("enarx: port-in-use: "))


def test_the_environment_names_the_files_as_upstream_did(world: World, tmp_path: Path) -> None:
    env = {"STEWARD_CRT": str(world.pki.crt), "STEWARD_KEY": str(world.pki.key), "STEWARD_SAN": "keep.test"}
    arguments = ["--policy", world.policy, "--trust-domain", TRUST_DOMAIN, *world.unsafe()]
    with serving(tmp_path, *arguments, env=env) as steward:
        Keep(world.chip, world.pki.pin, steward.url).identity()


def test_a_ca_is_made_for_one_run_when_there_is_only_a_host_name(world: World, tmp_path: Path) -> None:
    import ssl

    import httpx
    from cryptography import x509

    arguments = ["--host", "steward.test", "--policy", world.policy, "--trust-domain", TRUST_DOMAIN, *world.unsafe()]
    with serving(tmp_path, *arguments) as steward:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        bundle = httpx.get(f"{steward.url}/v1/trust-bundle", verify=context).content
        (root,) = x509.load_pem_x509_certificates(bundle)
        assert "CN=steward.test (simulated)" in root.subject.rfc4514_string()


def test_a_ca_is_not_half_given(world: World) -> None:
    code, said = ended("--crt", world.pki.crt, "--policy", world.policy, "--trust-domain", TRUST_DOMAIN)
    assert (2, True) == (code, "--crt and --key" in said)


def test_tls_of_the_operators_own(world: World, tmp_path: Path) -> None:
    import trustme

    ca = trustme.CA()
    made = ca.issue_cert("127.0.0.1")
    made.private_key_pem.write_to_path(tmp_path / "tls.key")
    (tmp_path / "tls.crt").write_bytes(b"".join(one.bytes() for one in (*made.cert_chain_pems, ca.cert_pem)))
    arguments = [
        *world.arguments(),
        *world.unsafe(),
        "--tls-crt",
        tmp_path / "tls.crt",
        "--tls-key",
        tmp_path / "tls.key",
    ]
    with serving(tmp_path, *arguments) as steward:
        from cryptography import x509

        from enarx.codec.digest import sha256
        from enarx.identity.request import spki_of

        pin = sha256(spki_of(x509.load_pem_x509_certificate(ca.cert_pem.bytes()).public_key()))
        Keep(world.chip, pin, steward.url).identity()
