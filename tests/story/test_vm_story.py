"""The whole sentence with the Keep as a virtual machine: emulated here, the same image everywhere."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from enarx.cli.demo import setting, workloads
from enarx.cli.demo.setting import Setting
from enarx.cli.demo.stage import DeployedKeep
from tests.keep.test_local import module
from tests.story.vm_stage import VmStage, built, listed

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmStage]:
    folder = built(tmp_path_factory.mktemp("image"))
    with VmStage() as made:
        made.image = folder
        yield made


@pytest.fixture(scope="module")
def scene(stage: VmStage) -> Setting:
    return setting.make(stage, datetime.now(UTC))


@pytest.fixture(scope="module")
def keep(stage: VmStage, scene: Setting) -> Iterator[DeployedKeep]:
    package = workloads.http_hello(ROOT / "examples", scene.folder / "packages")
    _, *rest = scene.deploying("http-hello")
    running = stage.keep(f"file:{package}", *("tcg" if word == "process" else word for word in rest))
    yield running
    running.wait_for("attesting")
    seen = listed(stage, running)
    machine = [Path("/proc", str(seen["pid"])), *_children(seen["pid"])]
    assert len(machine) == 2
    running.stop()
    assert [] == [process for process in machine if process.exists()], "a Keep that was stopped leaves nothing"


def _children(pid: int) -> list[Path]:
    return [Path("/proc", child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_agent_in_the_machine_is_attested_and_certified(keep: DeployedKeep) -> None:
    assert "BEGIN CERTIFICATE" in keep.wait_for("identified")["chain"]


def test_the_workload_answers_over_tls_that_ends_inside(keep: DeployedKeep, scene: Setting) -> None:
    port = str(keep.wait_for("listening")["address"]).rpartition(":")[2]
    context = ssl.create_default_context(cafile=str(scene.issuer))
    context.check_hostname = False
    with httpx.Client(verify=context, trust_env=False) as client:
        first, second = (client.get(f"https://127.0.0.1:{port}/", timeout=30) for _ in range(2))
    assert (200, first.text) == (second.status_code, second.text)
    assert "hello" in first.text.lower()


def test_a_relying_party_verifies_the_running_machine(keep: DeployedKeep, stage: VmStage, scene: Setting) -> None:
    url = f"https://{keep.wait_for('attesting')['address']}"
    policy = scene.folder / "steward.toml"
    trusted = ("--issuer", scene.issuer, "--anchors", scene.anchors, "--unsafe-anchors")
    done = stage.enarx("verify", url, "--policy", policy, *trusted, expect=None)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_machine_is_listed_and_its_console_is_not_the_programs_output(keep: DeployedKeep, stage: VmStage) -> None:
    keep.wait_for("attesting")
    seen = listed(stage, keep)
    assert ("tcg", "running") == (seen["backend"], seen["state"])
    assert "SeaBIOS" in stage.enarx("keep", "logs", seen["keep"]).stdout
    assert "" == keep.output()


def test_run_boots_a_machine_for_a_module_and_passes_its_output_and_exit_code_on(
    stage: VmStage, tmp_path: Path
) -> None:
    path = tmp_path / "program.wasm"
    path.write_bytes(module())
    done = stage.enarx("run", path, "--backend", "tcg", expect=None)
    assert (7, "hi\n") == (done.returncode, done.stdout), done.stderr
    assert "tcg machine, direct boot" in done.stderr


def test_run_without_an_image_says_how_to_make_one(stage: VmStage, tmp_path: Path) -> None:
    path = tmp_path / "program.wasm"
    path.write_bytes(module())
    genuine = stage.image
    stage.image = tmp_path
    try:
        done = stage.enarx("run", path, "--backend", "tcg", expect=2)
    finally:
        stage.image = genuine
    assert "file-unreadable" in done.stderr
    assert "hint: enarx image build" in done.stderr
