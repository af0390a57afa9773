"""The same story on every simulated TEE: one package, one Steward, another vendor's evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from enarx.appraisal import sgx, tdx
from enarx.cli.demo import policy as written
from enarx.cli.demo.setting import TRUST_DOMAIN
from enarx.cli.deploy import launched
from enarx.cli.files import write
from enarx.errors import Reason, Unacceptable
from enarx.evidence.kind import Kind
from enarx.platform.simulated.store import ANCHORS, agent_measurement, open_machine
from tests.cli.test_verify import toml
from tests.story.world import World, opened, outcome

SECTIONS = {Kind.TDX: (tdx, {"mrtd": (agent_measurement().hex(),)}), Kind.SGX: (sgx, {})}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def steward(world: World, kind: Kind, folder: Path) -> str:
    """A second Steward, under the same CA, that accepts this technology's simulated machine."""
    module, narrowed = SECTIONS[kind]
    section = {**msgspec.structs.asdict(module.unchecked()), **narrowed}
    top = written.text("tenant", b"", None).partition("[snp]")[0]
    lines = "\n".join(f"{name} = {toml(value)}" for name, value in section.items())
    write(folder / "policy.toml", f"{top}[{kind}]\n{lines}\n".encode())
    scene = world.scene
    return world.stage.service(
        "steward",
        "--crt", scene.folder / "ca.pem", "--key", scene.folder / "ca.key",
        "--tls-crt", scene.folder / "steward.pem", "--tls-key", scene.folder / "steward.key",
        "--addr", "127.0.0.1", "--port", "0", "--trust-domain", TRUST_DOMAIN,
        "--policy", folder / "policy.toml", "--anchors", folder / "machine" / ANCHORS, "--unsafe-anchors",
    )  # fmt: skip


@pytest.mark.parametrize("kind", list(SECTIONS))
def test_a_keep_on_another_tee_tells_the_same_story(world: World, kind: Kind, tmp_path: Path) -> None:
    machine = open_machine(kind, tmp_path / "machine", when=datetime.now(UTC))
    launch = msgspec.structs.replace(world.placed().launch, steward=steward(world, kind, tmp_path))

    states, ended = outcome(launch, chip=machine, cas=world.placed().cas)

    assert (0, "ended") == (ended, states[-1])


@pytest.mark.parametrize("kind", list(SECTIONS))
def test_another_launch_than_the_one_measured_is_refused_there_too(world: World, kind: Kind, tmp_path: Path) -> None:
    machine = open_machine(kind, tmp_path / "machine", when=datetime.now(UTC))
    launch = msgspec.structs.replace(world.placed().launch, steward=steward(world, kind, tmp_path))
    handed = msgspec.structs.replace(launch, args=("--leak",))

    _, ended = outcome(
        launch, chip=machine, cas=world.placed().cas, document=handed.encoded(), hardware=launched(machine, launch)
    )

    assert isinstance(ended, Unacceptable)
    assert Reason.LAUNCH_MISMATCH == ended.reason


@pytest.mark.parametrize("kind", [Kind.SNP, Kind.TDX, Kind.SGX])
def test_a_simulated_machine_is_the_same_when_it_is_opened_again(kind: Kind, tmp_path: Path) -> None:
    first = open_machine(kind, tmp_path / "m", when=datetime.now(UTC))
    again = open_machine(kind, tmp_path / "m", when=datetime.now(UTC))

    assert first.anchors() == again.anchors()
    assert [] == [path.name for path in (tmp_path / "m").glob("*.key") if path.stat().st_mode & 0o077]
