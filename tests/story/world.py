"""The demo's setting, for tests: services as processes, a simulated machine, one published package."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from enarx.cli import order
from enarx.cli.demo import setting
from enarx.cli.demo.setting import USER, Setting
from enarx.cli.demo.stage import Stage
from enarx.cli.deploy import launched
from enarx.cli.files import write
from enarx.errors import EnarxError
from enarx.platform.chip import Chip
from enarx.platform.process import ProcessKeep, raised
from enarx.workload.launch import Launch

ROOT = Path(__file__).resolve().parents[2]


class World(msgspec.Struct, frozen=True):
    """A running setting with `examples/hello` published as demo/hello:1.0.0."""

    stage: Stage
    scene: Setting
    package: Path

    def placed(self, **more: Any) -> order.Placed:
        """An order of the published package."""
        scene = self.scene
        wishes = {
            "package": f"{scene.host}/{USER}/hello:1.0.0",
            "arguments": (),
            "environment": {},
            "steward": scene.steward,
            "steward_ca": scene.issuer,
            "ca_bundle": scene.issuer,
            "token": scene.token,
            "digest": None,
            "tenant_key": scene.folder / "tenant.pem",
        }
        return order.place(order.Wishes(**{**wishes, **more}))


@contextmanager
def opened() -> Iterator[World]:
    """Start it, and end it whatever happens."""
    import sys

    sys.path.insert(0, str(ROOT / "examples"))
    from build import build

    with Stage() as stage:
        scene = setting.make(stage, datetime.now(UTC))
        package = scene.folder / "packages" / "hello"
        package.mkdir(parents=True)
        write(package / "main.wasm", build("hello").read_bytes())
        write(package / "Enarx.toml", b'[[files]]\nkind = "null"\n\n[[files]]\nkind = "stdout"\n')
        trusted = ("--ca-bundle", scene.issuer, "--insecure-auth-token", scene.token)
        stage.enarx("user", "register", f"{scene.host}/{USER}", "--subject", USER, *trusted)
        stage.enarx("repo", "register", f"{scene.host}/{USER}/hello", "--private", *trusted)
        stage.enarx("package", "publish", f"{scene.host}/{USER}/hello:1.0.0", package, *trusted)
        yield World(stage, scene, package)


def outcome(
    launch: Launch,
    *,
    chip: Any,
    cas: bytes,
    nodes: Mapping[str, bytes] | None = None,
    document: bytes | None = None,
    hardware: Chip | None = None,
) -> tuple[list[str], EnarxError | int]:
    """Open a Keep; which states it reached, and how it ended: a refusal, or the program's exit code."""
    states: list[str] = []
    ended: EnarxError | int = -1
    reader, writer = os.pipe()
    guest = hardware or launched(chip, launch)
    with ProcessKeep(
        document or launch.encoded(), chip=guest, attest="127.0.0.1:0", cas=cas, nodes=nodes, stdio={"stdout": writer}
    ) as keep:
        for event in keep.events():
            match event["event"]:
                case "state":
                    states.append(event["state"])
                case "refused":
                    ended = raised(event)
                case "ended":
                    ended = event["code"]
    os.close(writer)
    os.close(reader)
    return states, ended


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(said.strip()) and not said.startswith("Z")
