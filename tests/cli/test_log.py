"""`enarx log verify` against a Steward that keeps its word, and against one that does not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from enarx.identity.ca import pem
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import ENARX, TRUST_DOMAIN, Keep, Pki, Serving, anchors, policy_text, serving


class World:
    def __init__(self, folder: Path, steward: Serving, pki: Pki, chip: SimulatedSnp) -> None:
        self.folder = folder
        self.steward = steward
        self.pki = pki
        self.chip = chip
        self.database = f"sqlite:///{folder}/steward.sqlite"

    def certificate(self, name: str = "keep.pem") -> Path:
        identity = Keep(self.chip, self.pki.pin, self.steward.url).identity()
        path = self.folder / name
        path.write_bytes(pem(identity.chain))
        return path

    def verify(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [*ENARX, "log", "verify", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def tamper(self, statement: str) -> None:
        engine = create_engine(self.database)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    pki, chip = Pki(tmp_path), SimulatedSnp.made(datetime.now(UTC))
    (tmp_path / "policy.toml").write_text(policy_text())
    with serving(
        tmp_path,
        *("--crt", pki.crt, "--key", pki.key, "--policy", tmp_path / "policy.toml", "--trust-domain", TRUST_DOMAIN),
        *("--anchors", anchors(tmp_path, chip), "--unsafe-anchors"),
        *("--database", f"sqlite:///{tmp_path}/steward.sqlite"),
    ) as steward:
        yield World(tmp_path, steward, pki, chip)


def test_a_log_that_keeps_its_word(world: World) -> None:
    seen = world.folder / "seen"
    first = world.verify(world.certificate(), "--remember", seen, "--full")
    assert (0, f"the certificate is in {TRUST_DOMAIN}/log") == (first.returncode, first.stdout.splitlines()[0])
    for _ in range(3):
        world.certificate()
    second = world.verify(world.certificate(), "--remember", seen, "--full")
    assert 0 == second.returncode, second.stderr
    assert "it grew from 1 entries, and nothing before was changed" in second.stdout
    assert "its entries make the root that it signed" in second.stdout


def test_a_log_that_changed_an_entry(world: World) -> None:
    seen = world.folder / "seen"
    for _ in range(3):
        world.certificate()
    assert 0 == world.verify(world.certificate(), "--remember", seen).returncode
    world.tamper("UPDATE log_entry SET entry = x'00' WHERE position = 1")
    ended = world.verify(world.certificate(), "--full")
    assert (1, "digest-mismatch") == (ended.returncode, ended.stderr.splitlines()[-1].split(": ")[1])


def test_a_log_that_forgot(world: World) -> None:
    seen = world.folder / "seen"
    certificate = world.certificate()
    for _ in range(3):
        world.certificate("other.pem")
    assert 0 == world.verify(certificate, "--remember", seen).returncode
    world.tamper("DELETE FROM log_entry")
    world.tamper("UPDATE log_tree SET size = 0, peaks = x''")
    ended = world.verify(certificate)
    assert (1, "not-logged") == (ended.returncode, ended.stderr.split(": ")[1])
    later = world.verify(world.certificate("new.pem"), "--remember", seen)
    assert (1, "inconsistent") == (later.returncode, later.stderr.split(": ")[1])


def test_wrong_use_is_said(world: World) -> None:
    assert 2 == world.verify().returncode
    assert 2 == world.verify("--log", "https://localhost:1/log", "--key", "what").returncode
    alone = world.folder / "alone.pem"
    alone.write_bytes(
        world.certificate().read_bytes().split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
    )
    assert 2 == world.verify(alone).returncode
