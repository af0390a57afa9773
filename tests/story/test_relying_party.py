"""A relying party and a running Keep: what is accepted, and each way in which it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enarx.cli.demo import policy as written
from enarx.cli.demo.stage import DeployedKeep
from enarx.cli.files import write
from enarx.platform.simulated.store import agent_measurement
from tests.story.world import World, opened


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as world:
        yield world


@pytest.fixture(scope="module")
def keep(world: World) -> Iterator[DeployedKeep]:
    """A Keep whose guest never ends by itself."""
    import wasmtime

    loop = world.scene.folder / "packages" / "loop"
    loop.mkdir()
    (loop / "Enarx.toml").write_bytes(b"")
    (loop / "main.wasm").write_bytes(
        wasmtime.wat2wasm('(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))')
    )
    scene = world.scene
    running = world.stage.keep(
        f"file:{loop}", "--backend", "process", "--insecure-backend", "--simulate-tee", "snp",
        "--tee-state", scene.machine, "--steward", scene.steward, "--steward-ca", scene.issuer,
        "--save-launch", scene.folder / "loop.launch",
    )  # fmt: skip
    running.wait_for("attesting")
    yield running
    running.stop()


def judged(world: World, keep: DeployedKeep, policy: str, *more: str | Path, expect: int) -> dict[str, Any]:
    path = world.scene.folder / "asked.toml"
    write(path, policy.encode())
    url = f"https://{keep.wait_for('attesting')['address']}"
    anchors = ("--anchors", world.scene.anchors, "--unsafe-anchors")
    given = more or anchors
    done = world.stage.enarx(
        "verify", url, "--policy", path, "--issuer", world.scene.issuer, "--json", *given, expect=expect
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def wanted(**changed: str) -> str:
    text = written.text("relying party", agent_measurement(), [])
    text = text.replace("workload = []", 'workload = "unchecked"')
    for key, value in changed.items():
        start = text.index(f"\n{key} = ") + 1
        text = text[:start] + f"{key} = {value}" + text[text.index("\n", start) :]
    return text


def test_a_running_keep_is_accepted_and_says_simulated(world: World, keep: DeployedKeep) -> None:
    found = judged(world, keep, wanted(), expect=0)

    assert ["anchors: simulated"] == found["marks"]
    assert "simulated" == found["claims"][0]["anchors"]
    assert found["identity"]["uris"][0].endswith(found["launch"]["digest"])
    passed = {check["name"] for check in found["checks"] if check["verdict"] == "passed"}
    assert {"freshness", "binding of snp", "issuance log", "identity: package named by the certificate"} <= passed


def test_the_vendors_own_anchors_do_not_know_a_simulated_keep(world: World, keep: DeployedKeep) -> None:
    found = judged(world, keep, wanted(), "--offline", expect=1)

    assert ("unauthentic", "unknown-anchor") == (found["verdict"], found["reason"])


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("workload", f'["{"00" * 32}"]', "workload-mismatch"),
        ("hash", f'["{"00" * 48}"]', "measurement-not-accepted"),
        ("vmpl", "[1]", "vmpl"),
        ("generations", '["turin"]', "generation-not-accepted"),
        ("platforms", f'["{"00" * 64}"]', "platform-not-accepted"),
        ("revocation", '"required"', "revocation-unchecked"),
        ("expires", "2020-01-01T00:00:00Z", "expired"),
        ("package_signers", f'["{"00" * 32}"]', "signer-not-accepted"),
    ],
)
def test_each_expectation_can_refuse_it(world: World, keep: DeployedKeep, key: str, value: str, reason: str) -> None:
    found = judged(world, keep, wanted(**{key: value}), expect=3 if key == "revocation" else 1)

    assert reason == found["reason"]


def test_another_issuer_is_not_believed(world: World, keep: DeployedKeep) -> None:
    path = world.scene.folder / "other.toml"
    write(path, wanted().encode())
    url = f"https://{keep.wait_for('attesting')['address']}"
    done = world.stage.enarx(
        "verify", url, "--policy", path, "--issuer", world.scene.machine / "chip.pem", "--json",
        "--anchors", world.scene.anchors, "--unsafe-anchors", expect=1,
    )  # fmt: skip

    assert "unknown-anchor" == json.loads(done.stdout)["reason"]


def test_the_launch_document_that_was_saved_is_the_one_that_runs(world: World, keep: DeployedKeep) -> None:
    from enarx.workload.launch import parse

    saved = parse((world.scene.folder / "loop.launch").read_bytes())

    assert saved.digest().hex() == judged(world, keep, wanted(), expect=0)["launch"]["digest"]


def test_a_packages_signer_is_looked_at_where_the_policy_names_one(
    world: World, keep: DeployedKeep, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from enarx.cli.order import folder
    from enarx.workload import signature

    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    for name, key in zip(("ours", "theirs"), keys, strict=True):
        spki = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (tmp_path / f"{name}.pem").write_bytes(spki)
    package = folder(world.scene.folder / "packages" / "loop")
    (tmp_path / "loop.jws").write_bytes(signature.sign(package.entry, keys[0], security_version=4))
    named = wanted(package_signers=f'["{signature.signer(keys[0].public_key()).hex()}"]')
    anchors = ("--anchors", world.scene.anchors, "--unsafe-anchors")
    signed = ("--package-signature", tmp_path / "loop.jws", "--package-key", tmp_path / "ours.pem")

    assert "accepted" == judged(world, keep, named, *anchors, *signed, expect=0)["verdict"]
    too_old = named.replace('minimum_package_security_version = "unchecked"', "minimum_package_security_version = 5")
    assert "security-version-too-low" == judged(world, keep, too_old, *anchors, *signed, expect=1)["reason"]
    assert "signer-not-accepted" == judged(world, keep, named, *anchors, expect=1)["reason"]
    done = world.stage.enarx(
        "verify", f"https://{keep.wait_for('attesting')['address']}", "--policy", world.scene.folder / "asked.toml",
        *anchors, *signed[:3], tmp_path / "theirs.pem", expect=1,
    )  # fmt: skip
    assert done.stderr.startswith("enarx: unknown-anchor: package signature: by no trusted key")
