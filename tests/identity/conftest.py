"""A CA, a simulated processor, and a Steward that runs as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import TRUST_DOMAIN, Keep, Pki, Serving, anchors, policy_text, serving
from tests.postgres import Postgres


@pytest.fixture(scope="session")
def chip() -> SimulatedSnp:
    return SimulatedSnp.made(datetime.now(UTC))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text(policy_text())
    return path


@pytest.fixture(scope="session")
def steward(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, chip: SimulatedSnp, policy_file: Path
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("steward")
    with serving(
        folder,
        *("--crt", pki.crt, "--key", pki.key, "--policy", policy_file, "--trust-domain", TRUST_DOMAIN),
        *("--anchors", anchors(folder, chip), "--unsafe-anchors", "--san", "keep.test"),
    ) as one:
        yield one


@pytest.fixture
def keep(chip: SimulatedSnp, pki: Pki, steward: Serving) -> Keep:
    return Keep(chip, pki.pin, steward.url)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()
