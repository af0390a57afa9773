"""The whole sentence with a machine whose boot its firmware measures into a real (software) TPM."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.appraisal import tpm
from enarx.cli.demo import workloads
from enarx.cli.demo.stage import DeployedKeep
from enarx.identity import ca
from enarx.platform.image.build import CMDLINE, INITRD, KERNEL
from enarx.platform.tpm import maker_store
from tests.identity.parties import POLICY, TRUST_DOMAIN
from tests.platform.vm.test_vm_measured_boot import changed
from tests.story.vm_stage import VmStage, built, listed

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.now(UTC)
PATIENCE = 240.0
"""Seconds for a boot under emulation with firmware on a machine that is busy; ten without others."""


class World(msgspec.Struct):
    """A Steward that accepts this image's measured boot, and the tenant's files."""

    stage: VmStage
    steward: str
    issuer: Path
    anchors: Path
    maker: Path
    key: Path

    def arguments(self, package: Path, launch: str = "another-launch") -> tuple[str | Path, ...]:
        return (
            f"file:{package}", "--backend", "tcg", "--boot", "measured", "--insecure-backend",
            "--tpm-maker", self.maker, "--steward", self.steward, "--steward-ca", self.issuer,
            "--save-launch", self.stage.folder / launch,
        )  # fmt: skip

    def references(self, image: Path, name: str, *more: str | Path) -> Path:
        """What an image will measure, signed."""
        path = self.stage.folder / f"{name}.corim"
        signing = ("--signing-key", self.key, "--security-version", "1", "--name", name)
        self.stage.enarx("image", "measure", "--image", image, "--corim", path, *signing, *more)
        return path

    def verified(self, url: str, *references: Path) -> Any:
        """What a relying party finds, whose policy knows no value by itself."""
        policy = self.stage.folder / "relying.toml"
        policy.write_text(policy_text({"4": [], "9": [], "11": []}))
        trusted = ("--issuer", self.issuer, "--anchors", self.anchors, "--unsafe-anchors")
        known = [word for path in references for word in ("--reference-values", path)]
        words = ("verify", url, "--policy", policy, *trusted, *known, "--reference-key", self.key.with_suffix(".pub"))
        done = self.stage.enarx(*words, "--json", expect=None)
        return {**json.loads(done.stdout), "code": done.returncode}


def policy_text(pcrs: dict[str, list[str]]) -> str:
    section = msgspec.to_builtins(tpm.unchecked()) | {"authorities": ["activated"], "event_log": "required"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in section.items() if key not in {"pcrs", "pcrs_blacklist"}]
    table = ", ".join(f"{index} = {json.dumps(values)}" for index, values in pcrs.items())
    lines += [f"pcrs = {{ sha256 = {{ {table} }} }}", "pcrs_blacklist = {}"]
    text = POLICY.replace("[snp]", 'log = "unchecked"\n[tpm]').replace(
        'launch_field = "required"', 'launch_field = "late"'
    )
    return text + "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    image = built(tmp_path_factory.mktemp("image"))
    with VmStage() as stage:
        stage.image, folder = image, stage.folder
        made = ca.make_root("tests (none, simulated)", trust_domain=TRUST_DOMAIN, when=NOW, serial=1)
        (folder / "ca.pem").write_bytes(made.certificates_pem())
        (folder / "ca.key").write_bytes(made.key_pem())
        maker_store.open_maker(folder / "maker", when=NOW)
        (folder / "anchors").mkdir()
        shutil.copy(folder / "maker" / maker_store.ROOT, folder / "anchors" / "tpm.pem")
        key = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (folder / "image.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        (folder / "image.pub").write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, spki))
        measured = json.loads(stage.enarx("image", "measure", "--image", image, "--json").stdout)["tpm"]
        expected = {row["pcr"].removeprefix("PCR "): [row["sha256"]] for row in measured}
        (folder / "steward.toml").write_text(policy_text(expected))
        url = stage.service(
            "steward", "--crt", folder / "ca.pem", "--key", folder / "ca.key", "--addr", "127.0.0.1", "--port", "0",
            "--trust-domain", TRUST_DOMAIN, "--policy", folder / "steward.toml",
            "--anchors", folder / "anchors", "--unsafe-anchors",
        )  # fmt: skip
        yield World(stage, url, folder / "ca.pem", folder / "anchors", folder / "maker", folder / "image.key")


@pytest.fixture(scope="module")
def package(world: World) -> Path:
    return workloads.http_hello(ROOT / "examples", world.stage.folder / "packages")


@pytest.fixture(scope="module")
def keep(world: World, package: Path) -> Iterator[DeployedKeep]:
    running = world.stage.keep(*world.arguments(package, "launch"))
    running.wait_for("attesting", PATIENCE)
    yield running
    running.stop()


def test_a_measured_boot_is_identified_as_none(keep: DeployedKeep) -> None:
    from enarx.codec.x509 import from_pem

    leaf = from_pem(keep.wait_for("identified")["chain"].encode(), "identity")[0]
    assert "OU=none" in leaf.name
    assert "boot measured (host-trusted)" in leaf.name


def test_the_time_is_the_stewards_and_keep_inspect_says_so(keep: DeployedKeep, world: World) -> None:
    told = keep.wait_for("time")
    earliest, latest = (datetime.fromisoformat(told[end]) for end in ("earliest", "latest"))
    assert ("polled", True) == (told["source"], NOW <= earliest <= latest)
    seen = listed(world.stage, keep)
    assert "polled" == json.loads(world.stage.enarx("keep", "inspect", seen["keep"]).stdout)["time"]


def test_signed_reference_values_of_the_image_and_launch_verify_the_running_keep(
    keep: DeployedKeep, world: World
) -> None:
    url = f"https://{keep.wait_for('attesting')['address']}"
    launch = world.stage.folder / "launch"
    found = world.verified(url, world.references(world.stage.image, "image", "--launch", launch))
    assert (0, None) == (found["code"], found["subject"])
    assert {"technology: none", "boot: measured (host-trusted)"} <= set(found["marks"])
    names = {check["name"]: check["verdict"] for check in found["checks"]}
    assert {"passed"} == {names[f"PCR {index}"] for index in (4, 9, 11)}
    assert any("reference values" in name for name in names)


@pytest.mark.parametrize(
    ("part", "refused"), [(KERNEL, "PCR 4: kernel"), (INITRD, "PCR 9: initramfs"), (CMDLINE, "PCR 9: command line")]
)
def test_an_image_that_differs_in_one_byte_is_refused_with_register_and_event_named(
    keep: DeployedKeep, world: World, tmp_path: Path, part: str, refused: str
) -> None:
    url = f"https://{keep.wait_for('attesting')['address']}"
    other = changed(world.stage.image, tmp_path / "changed", part)
    launch = world.stage.folder / "launch"
    found = world.verified(url, world.references(other, f"other-{part}", "--launch", launch))
    assert (1, "measurement-not-accepted") == (found["code"], found["reason"])
    assert found["subject"].startswith(f"{refused}: ")
    assert "was expected" in found["hint"]


def test_the_steward_refuses_a_changed_command_line(world: World, package: Path, tmp_path: Path) -> None:
    genuine = world.stage.image
    world.stage.image = changed(genuine, tmp_path / "changed", CMDLINE)
    try:
        done = world.stage.enarx("deploy", *world.arguments(package), expect=None)
    finally:
        world.stage.image = genuine
    assert 1 == done.returncode
    assert "measurement-not-accepted: PCR 9" in done.stderr


def test_a_simulated_chip_and_a_measured_boot_exclude_each_other(world: World, package: Path) -> None:
    done = world.stage.enarx("deploy", *world.arguments(package), "--simulate-tee", "snp", expect=2)
    assert "--boot measured with --simulate-tee" in done.stderr
