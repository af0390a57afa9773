"""A CA key that never leaves its token: SoftHSM's, made by OpenSC's tool."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from enarx.errors import Misused
from enarx.identity import pkcs11
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import ENARX, TRUST_DOMAIN, Keep, Pki, anchors, policy_text, serving
from tests.parts import part

MODULES = [Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")]


def softhsm() -> Path | None:
    """SoftHSM's module, if its tool is there too."""
    found = [one for one in MODULES if one.exists()]
    return found[0] if found and shutil.which("softhsm2-util") else None


class Token:
    def __init__(self, folder: Path) -> None:
        self.module = part(softhsm, "softhsm2", "SoftHSM")
        (folder / "tokens").mkdir()
        self.conf = folder / "softhsm2.conf"
        self.conf.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(self.conf)}
        self.pin = folder / "pin"
        self.pin.write_text("1234\n")
        self.tool("--init-token", "--free", "--label", "steward", "--so-pin", "5678", "--pin", "1234")

    def tool(self, *arguments: str) -> None:
        command = ["softhsm2-util", "--module", str(self.module), *arguments]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, **self.env})

    def import_key(self, key: ec.EllipticCurvePrivateKey, label: str, folder: Path) -> None:
        pem = folder / f"{label}.pem"
        pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        identifier = label.encode().hex()
        self.tool("--import", str(pem), "--token", "steward", "--label", label, "--id", identifier, "--pin", "1234")
        pem.unlink()

    def uri(self, label: str = "ca", holder: str = "steward") -> str:
        return f"pkcs11:token={holder};object={label}?module-path={self.module}"


@pytest.fixture
def token(tmp_path: Path) -> Token:
    return Token(tmp_path)


def test_a_steward_with_two_workers_signs_with_a_key_in_a_token(token: Token, tmp_path: Path) -> None:
    pki, chip = Pki(tmp_path), SimulatedSnp.made(datetime.now(UTC))
    token.import_key(pki.ca.key, "ca", tmp_path)
    pki.key.unlink()
    policy = tmp_path / "policy.toml"
    policy.write_text(policy_text())
    arguments = [
        *("--crt", pki.crt, "--key", token.uri(), "--key-passphrase-file", token.pin, "--policy", policy),
        *("--trust-domain", TRUST_DOMAIN, "--anchors", anchors(tmp_path, chip), "--unsafe-anchors", "--workers", "2"),
    ]
    with serving(tmp_path, *arguments, env=token.env) as steward:
        for _ in range(6):
            identity = Keep(chip, pki.pin, steward.url).identity()
            assert identity.chain[0].signed_by(identity.chain[1].public_key)
    other = ec.generate_private_key(ec.SECP256R1())
    token.import_key(other, "other", tmp_path)
    wrong = tmp_path / "wrong"
    wrong.write_text("9999")
    command = [*ENARX, "steward", "serve", "--port", "0", *map(str, arguments), "--key-passphrase-file", str(wrong)]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **token.env}, timeout=60
    )
    assert (3, True) == (ended.returncode, "C_Login answers 0xa0" in ended.stderr)
    assert "9999" not in ended.stderr
    for uri, reason in (
        (token.uri("other"), "key-invalid"),
        (token.uri("nothing"), "key-missing"),
        (token.uri(holder="nothing"), "key-missing"),
        ("pkcs11:token=a", "syntax"),
        ("pkcs11:token=a;object=b?module-path=/nonexistent.so", "file-unreadable"),
    ):
        command = [*ENARX, "steward", "serve", "--port", "0", *map(str, arguments), "--key", uri]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **token.env}, timeout=60
        )
        assert (2, True) == (ended.returncode, ended.stderr.startswith(f"enarx: {reason}: ")), ended.stderr


def test_a_uri_names_module_token_and_object() -> None:
    found = pkcs11.parse_uri("pkcs11:token=my%20token;object=ca?module-path=/a.so")
    assert ("my token", "ca", "/a.so") == (found.token, found.object, found.module)
    for text in ("pkcs11:", "pkcs11:token=a;object=b", "/a/file"):
        with pytest.raises(Misused):
            pkcs11.parse_uri(text)
