# SPDX-License-Identifier: Apache-2.0
"""The story, sentence by sentence. Each is printed when it has happened, not before."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from enarx.cli import order
from enarx.cli.demo import attacks, policy, setting, workloads
from enarx.cli.demo.setting import USER, Setting
from enarx.cli.demo.stage import DeployedKeep, Stage
from enarx.cli.files import write
from enarx.codec.x509 import Certificate
from enarx.errors import EnarxError, Faulty, Misused, Reason
from enarx.platform.simulated.store import agent_measurement
from enarx.registry import name as names
from enarx.registry.client import Drawbridge
from enarx.registry.connection import client_context

NAMES = ("http-hello", "python-script")


def tell(examples: Path) -> int:
    """Tell it; returns 0 when everything went as it must."""
    started = time.monotonic()
    if not (examples / "http-hello").is_dir():
        raise Misused(
            Reason.FILE_UNREADABLE, f"{examples}: no examples", hint="run it in the source folder, or --examples DIR"
        )
    with Stage() as stage:
        scene = setting.make(stage, datetime.now(UTC))  # noqa: TID251 - the door
        say(1, "a Steward and a Drawbridge run as processes of their own, under a CA made for this run")
        detail(f"steward {scene.steward}, drawbridge {scene.drawbridge}")
        digests = _package(stage, scene, examples)
        _publish(stage, scene)
        hello, script = _open(stage, scene)
        _delivered(scene)
        wanted = scene.folder / "relying-party.toml"
        write(wanted, policy.text("relying party", agent_measurement(), digests).encode())
        url = _verify(stage, scene, hello, wanted)
        _answers(scene, hello, script)
        _attacks(stage, scene, url, wanted)
        hello.stop()
    print(f"the end: nothing is left running ({time.monotonic() - started:.1f} s)", flush=True)
    return 0


def say(number: int, sentence: str) -> None:
    """One sentence of the story."""
    print(f"{number}. {sentence}", flush=True)


def detail(line: str) -> None:
    """What belongs to the sentence before."""
    print(f"   {line}", flush=True)


def _package(stage: Stage, scene: Setting, examples: Path) -> tuple[bytes, ...]:
    packages = scene.folder / "packages"
    folders = (workloads.http_hello(examples, packages), workloads.python_script(examples, packages))
    say(2, "two workloads are packaged: our own C, and CPython 3.12 for WASI, which nobody here wrote")
    digests = []
    for folder in folders:
        digest = stage.enarx("tree", "digest", folder).stdout.strip()
        detail(f"{folder.name:<14} {digest}")
        digests.append(bytes.fromhex(digest))
    return tuple(digests)


def _publish(stage: Stage, scene: Setting) -> None:
    trusted = ("--ca-bundle", scene.issuer, "--insecure-auth-token", scene.token)
    stage.enarx("user", "register", f"{scene.host}/{USER}", "--subject", USER, *trusted)
    for name in NAMES:
        stage.enarx("repo", "register", f"{scene.host}/{USER}/{name}", "--private", *trusted)
        folder = scene.folder / "packages" / name
        stage.enarx("package", "publish", f"{scene.host}/{USER}/{name}:1.0.0", folder, *trusted)
    say(3, f"they are published to private repositories: {', '.join(f'{USER}/{name}:1.0.0' for name in NAMES)}")


def _open(stage: Stage, scene: Setting) -> tuple[DeployedKeep, DeployedKeep]:
    hello, script = (stage.keep(*scene.deploying(name)) for name in NAMES)
    identified = hello.wait_for("identified")
    leaf = _leaf(str(identified["chain"]))
    say(4, "a Keep is opened for each: it makes its key, gets a nonce, is attested (SNP, simulated), and certified")
    detail(f"subject  {leaf.name}")
    detail(f"name     {leaf.uris()[0]}")
    detail(f"issuer   Enarx demo CA (simulated), until {leaf.not_after:%Y-%m-%d %H:%M} UTC")
    return hello, script


def _delivered(scene: Setting) -> None:
    """Each Keep gets its package with its certificate; whoever has none gets nothing."""
    url = names.package_url(f"{scene.host}/{USER}/{NAMES[0]}:1.0.0")
    try:
        with Drawbridge(client_context(ca=scene.issuer.read_bytes())) as stranger:
            stranger.fetch(url, None)
    except EnarxError as error:
        say(5, "with that certificate each Keep fetches its package, checks every digest, and runs it")
        detail(f"without a certificate: {error.family}: {error}")
        return
    raise Faulty(Reason.INTERNAL, "a private package was given to a stranger")


def _verify(stage: Stage, scene: Setting, hello: DeployedKeep, wanted: Path) -> str:
    url = f"https://{hello.wait_for('attesting')['address']}"
    done = stage.enarx(
        "verify", url, "--policy", wanted, "--issuer", scene.issuer, "--anchors", scene.anchors, "--unsafe-anchors"
    )
    say(6, f"a relying party asks the running Keep with a fresh nonce: enarx verify {url}")
    for line in done.stdout.rstrip().splitlines():
        detail(line)
    return url


def _answers(scene: Setting, hello: DeployedKeep, script: DeployedKeep) -> None:
    host, _, port = str(hello.wait_for("listening")["address"]).rpartition(":")
    context = ssl.create_default_context(cafile=str(scene.issuer))
    context.check_hostname = False  # a Keep's name is its SPIFFE ID, compared below
    seen = _leaf(str(hello.wait_for("identified")["chain"]))
    client = httpx.Client(verify=context, trust_env=False)
    with client, client.stream("GET", f"https://127.0.0.1:{port}/") as answer:
        shown = answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert(True)
        body = answer.read().decode().strip()
    if Certificate(shown) != seen:
        raise Faulty(Reason.INTERNAL, f"another certificate answers at {host}:{port}")
    detail(f"over the same identity, GET / answers: {body}")
    if script.finish() != 0:
        raise Faulty(Reason.INTERNAL, f"the script's Keep: {script.complaint()}")
    for line in script.output().rstrip().splitlines():
        detail(f"the script prints: {line}")


def _attacks(stage: Stage, scene: Setting, url: str, wanted: Path) -> None:
    placed = order.place(
        order.Wishes(
            package=f"{scene.host}/{USER}/{NAMES[0]}:1.0.0",
            arguments=(),
            environment={},
            steward=scene.steward,
            steward_ca=scene.issuer,
            ca_bundle=scene.issuer,
            token=scene.token,
            digest=None,
            tenant_key=scene.folder / "tenant.pem",
        )
    )
    module = (scene.folder / "packages" / NAMES[0] / "main.wasm").read_bytes()
    say(7, "five things go wrong on purpose, and each is refused:")
    played: tuple[tuple[str, Callable[[], str]], ...] = (
        (
            "one byte changed in the store",
            lambda: attacks.changed_byte(scene.folder / "store", module, placed, scene.chip),
        ),
        ("another measurement expected", lambda: attacks.other_measurement(stage, url, wanted, scene.anchors)),
        ("evidence of another Keep's key", lambda: attacks.other_keeps_evidence(url, placed)),
        ("evidence with the debug bit", lambda: attacks.debug_bit(placed, scene.chip)),
        ("an argument that the host changed", lambda: attacks.changed_argument(placed, scene.chip)),
    )
    for what, play in played:
        detail(f"{what:<33} -> {play()}")


def _leaf(chain_pem: str) -> Certificate:
    from enarx.codec.x509 import from_pem

    return from_pem(chain_pem.encode(), "identity")[0]
