"""Every page of docs/steward, played through."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import crypto

from enarx.codec.digest import sha256
from enarx.codec.x509 import from_pem
from enarx.errors import EnarxError, Reason, Unacceptable
from enarx.identity.issued import Identity
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import ENARX, TRUST_DOMAIN, Keep, Serving, anchors, policy_text, serving

TOKEN = "token"


def enarx(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ENARX, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


class House:
    """A root that stays offline, an issuing CA, a database, and a Steward that is started again and again."""

    def __init__(self, folder: Path, chip: SimulatedSnp) -> None:
        self.folder = folder
        self.chip = chip
        self.stack = ExitStack()
        domain = ("--trust-domain", TRUST_DOMAIN)
        made = enarx(
            *("steward", "ca", "root", *domain, "--name", "root (simulated)"),
            *("--crt", folder / "root.crt", "--key", folder / "root.key"),
        )
        assert 0 == made.returncode, made.stderr
        self.issuing("old")
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        (folder / "administrators.toml").write_text(f'[[administrator]]\nname = "anna"\ntoken_sha256 = "{digest}"\n')
        (folder / "policy.toml").write_text(policy_text())

    def issuing(self, name: str) -> None:
        made = enarx(
            *("steward", "ca", "issuing", "--trust-domain", TRUST_DOMAIN, "--name", f"{name} (simulated)"),
            *("--root-crt", self.folder / "root.crt", "--root-key", self.folder / "root.key"),
            *("--crt", self.folder / f"{name}.crt", "--key", self.folder / f"{name}.key"),
        )
        assert 0 == made.returncode, made.stderr

    def arguments(self, ca: str, log: str = "log", database: str = "steward.sqlite") -> list[str | Path]:
        return [
            *("--crt", self.folder / f"{ca}.crt", "--key", self.folder / f"{ca}.key", "--trust-domain", TRUST_DOMAIN),
            *("--policy", self.folder / "policy.toml", "--anchors", anchors(self.folder, self.chip)),
            *("--unsafe-anchors", "--administrators", self.folder / "administrators.toml"),
            *("--database", f"sqlite:///{self.folder}/{database}"),
            *("--log-key", self.folder / f"{log}.key", "--log-origin", f"{TRUST_DOMAIN}/{log}"),
        ]

    def open(self, ca: str = "old", **more: str) -> Serving:
        self.pin = sha256(from_pem((self.folder / f"{ca}.crt").read_bytes(), "ca")[0].spki)
        self.steward = self.stack.enter_context(serving(self.folder, *self.arguments(ca, **more)))
        return self.steward

    def close(self) -> None:
        self.stack.close()
        self.stack = ExitStack()

    def identity(self, package: bytes | None = None, **fields: Any) -> Identity:
        said = {"package": package} if package else {}
        return Keep(self.chip.launched(**fields), self.pin, self.steward.url, **said).identity()

    def admin(self, path: str, **body: Any) -> Any:
        context = ssl.create_default_context(cafile=self.folder / "root.crt")
        headers = {"authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(f"{self.steward.url}/v1/admin/{path}", json=body, headers=headers, verify=context)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def accepts(self, identity: Identity, *lists: Path) -> bool:
        """A relying party that trusts the root and has these lists of revoked certificates."""
        store = crypto.X509Store()
        store.add_cert(self._loaded(identity.chain[-1].raw))
        context = ssl.create_default_context(cafile=self.folder / "root.crt")
        crls = [path.read_bytes() for path in lists] or [
            httpx.get(f"{self.steward.url}/v1/crl", verify=context).content
        ]
        for raw in crls:
            store.add_crl(x509.load_der_x509_crl(raw))
        store.set_flags(crypto.X509StoreFlags.CRL_CHECK | (crypto.X509StoreFlags.CRL_CHECK_ALL if lists else 0))
        between = [self._loaded(one.raw) for one in identity.chain[1:-1]]
        leaf = self._loaded(identity.chain[1 if lists else 0].raw)
        try:
            crypto.X509StoreContext(store, leaf, between).verify_certificate()
        except crypto.X509StoreContextError:
            return False
        return True

    def _loaded(self, raw: bytes) -> crypto.X509:
        return crypto.X509.from_cryptography(x509.load_der_x509_certificate(raw))


@pytest.fixture
def house(tmp_path: Path, chip: SimulatedSnp) -> Iterator[House]:
    made = House(tmp_path, chip)
    yield made
    made.close()


def test_the_key_of_the_issuing_ca(house: House) -> None:
    house.open()
    before = house.identity()
    house.close()
    house.issuing("new")
    crl = house.folder / "root.crl"
    made = enarx(
        *("steward", "ca", "crl", "--trust-domain", TRUST_DOMAIN, "--revoke", house.folder / "old.crt", "--out", crl),
        *("--root-crt", house.folder / "root.crt", "--root-key", house.folder / "root.key"),
    )
    assert 0 == made.returncode, made.stderr
    house.open("new")
    after = house.identity()
    assert not house.accepts(before, crl)
    assert house.accepts(after, crl)
    assert before.chain[-1] == after.chain[-1]
    mode = (house.folder / "new.key").stat().st_mode & 0o777
    assert 0o600 == mode


def test_the_key_of_a_package_signer(house: House) -> None:
    house.open()
    known, unknown = secrets.token_bytes(32), secrets.token_bytes(32)
    good, bad = house.identity(known), house.identity(unknown)
    text = policy_text().replace('workload = "unchecked"', f'workload = ["{known.hex()}"]')
    house.admin("policies", text=text, overlap=0.0)
    assert {"count": 1} == house.admin("revoke", package=unknown.hex())
    assert (True, False) == (house.accepts(good), house.accepts(bad))
    house.identity(known)
    with pytest.raises(Unacceptable) as refused:
        house.identity(unknown)
    assert Reason.WORKLOAD_MISMATCH is refused.value.reason


def test_an_image_with_a_hole(house: House) -> None:
    house.open()
    old, new = bytes(47) + b"\1", bytes(47) + b"\2"
    before = house.identity(measurement=old)
    text = policy_text(hash=f'["{new.hex()}"]').replace("security_version = 1", "security_version = 2")
    house.admin("policies", text=text, overlap=0.0)
    assert {"count": 1} == house.admin("revoke", measurement=old.hex(), reason="superseded")
    assert not house.accepts(before)
    assert house.accepts(house.identity(measurement=new))
    with pytest.raises(Unacceptable) as refused:
        house.identity(measurement=old)
    assert Reason.MEASUREMENT_NOT_ACCEPTED is refused.value.reason


def test_the_database(house: House) -> None:
    house.open()
    house.identity()
    house.close()
    shutil.copy(house.folder / "steward.sqlite", house.folder / "copy.sqlite")
    house.open()
    lost = house.identity()
    house.close()
    for left in house.folder.glob("steward.sqlite*"):
        left.unlink()
    shutil.copy(house.folder / "copy.sqlite", house.folder / "steward.sqlite")
    refused = enarx("steward", "serve", "--port", "0", *house.arguments("old"))
    assert (2, True) == (refused.returncode, "the log has 1 entries and had 2" in refused.stderr)
    house.open(log="second", database="second.sqlite")
    assert house.accepts(lost)
    house.identity()


def test_a_database_whose_past_was_changed_is_noticed_at_the_start(house: House) -> None:
    from sqlalchemy import create_engine, text

    house.open()
    house.identity()
    house.close()
    engine = create_engine(f"sqlite:///{house.folder}/steward.sqlite")
    with engine.begin() as connection:
        connection.execute(text("UPDATE log_entry SET leaf = zeroblob(32)"))
    engine.dispose()
    refused = enarx("steward", "serve", "--port", "0", *house.arguments("old"))
    assert (2, True) == (refused.returncode, "are not what they were" in refused.stderr)


def test_one_processor(house: House) -> None:
    house.open()
    other = SimulatedSnp.made(
        x509.load_pem_x509_certificate((house.folder / "root.crt").read_bytes()).not_valid_before_utc
    )
    chip = house.chip.fields.chip_id.hex()
    before = house.identity()
    assert {"count": 1} == house.admin("revoke", platform=chip)
    assert not house.accepts(before)
    house.admin("policies", text=policy_text(platforms=f'["{other.fields.chip_id.hex()}"]'), overlap=0.0)
    with pytest.raises(EnarxError) as refused:
        house.identity()
    assert Reason.PLATFORM_NOT_ACCEPTED is refused.value.reason


def test_a_roots_key_may_be_encrypted(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct horse\n")
    common = ("--trust-domain", TRUST_DOMAIN)
    made = enarx(
        *("steward", "ca", "root", *common, "--name", "root", "--passphrase-file", tmp_path / "secret"),
        *("--crt", tmp_path / "root.crt", "--key", tmp_path / "root.key"),
    )
    assert 0 == made.returncode, made.stderr
    with pytest.raises(TypeError):
        serialization.load_pem_private_key((tmp_path / "root.key").read_bytes(), None)
    below = (
        "steward",
        "ca",
        "issuing",
        *common,
        "--name",
        "a",
        "--crt",
        tmp_path / "a.crt",
        "--key",
        tmp_path / "a.key",
    )
    of = ("--root-crt", tmp_path / "root.crt", "--root-key", tmp_path / "root.key")
    assert 2 == enarx(*below, *of).returncode
    assert 0 == enarx(*below, *of, "--root-passphrase-file", tmp_path / "secret").returncode
    assert 2 == enarx(*below, *of, "--root-passphrase-file", tmp_path / "secret").returncode
