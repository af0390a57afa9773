"""What goes wrong between tenant, host, Steward and Drawbridge, with all of them running."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from enarx.codec.digest import sha256
from enarx.errors import EnarxError, Malformed, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.registry.client import Drawbridge
from enarx.registry.connection import Identity, client_context
from enarx.workload.launch import Launch
from enarx.workload.package import Package, build
from tests.story.world import World, alive, opened, outcome


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def local(world: World) -> tuple[Package, Launch]:
    """The same package handed over by the launcher instead of a registry."""
    package = build({path.name: path.read_bytes() for path in world.package.iterdir()})
    return package, msgspec.structs.replace(world.placed().launch, source=None, source_ca=None)


def test_the_story_ends_with_the_programs_exit_code(world: World) -> None:
    placed = world.placed()

    states, ended = outcome(placed.launch, chip=world.scene.chip, cas=placed.cas)

    story = ["opened", "keyed", "challenged", "attested", "identified", "delivered", "running", "ended"]
    assert (story, 0) == (states, ended)


def test_a_package_from_the_launcher_is_checked_like_any_other(world: World) -> None:
    package, launch = local(world)
    nodes = {"": package.root, **package.nodes}

    assert outcome(launch, chip=world.scene.chip, cas=world.placed().cas, nodes=nodes)[1] == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda nodes: {**nodes, "main.wasm": nodes["main.wasm"][:-1]}, Reason.TRUNCATED),
        (lambda nodes: {**nodes, "main.wasm": nodes["main.wasm"] + b"\0"}, Reason.TOO_LARGE),
        (lambda nodes: {**nodes, "main.wasm": nodes["main.wasm"][:-1] + b"\xff"}, Reason.DIGEST_MISMATCH),
        (lambda nodes: {name: raw for name, raw in nodes.items() if name != "main.wasm"}, Reason.NODE_MISSING),
        (lambda nodes: {**nodes, "": nodes[""] + b" "}, Reason.DIGEST_MISMATCH),
    ],
)
def test_a_package_that_the_host_changed_is_refused_by_the_keep(
    world: World, change: Callable[[dict[str, bytes]], dict[str, bytes]], reason: Reason
) -> None:
    package, launch = local(world)
    nodes = change({"": package.root, **package.nodes})

    states, ended = outcome(launch, chip=world.scene.chip, cas=world.placed().cas, nodes=nodes)

    assert "delivered" not in states
    assert isinstance(ended, Unauthentic | Malformed)
    assert reason == ended.reason


def test_a_keep_without_a_tee_is_not_identified(world: World) -> None:
    placed = world.placed()

    states, ended = outcome(placed.launch, chip=None, cas=placed.cas)

    assert states[-2] == "attested"
    assert isinstance(ended, Unacceptable)
    assert ended.reason == Reason.NO_TEE


def test_a_launch_document_that_is_not_the_measured_one_is_refused(world: World) -> None:
    placed = world.placed()
    changed = msgspec.structs.replace(placed.launch, env={"LD_PRELOAD": "x"})

    _, ended = outcome(placed.launch, chip=world.scene.chip, cas=placed.cas, document=changed.encoded())

    assert isinstance(ended, Unacceptable)
    assert ended.reason == Reason.LAUNCH_MISMATCH


def test_bytes_that_are_no_launch_document_end_the_story_at_once(world: World) -> None:
    placed = world.placed()

    states, ended = outcome(placed.launch, chip=None, cas=b"", document=b"\xa0")

    assert (["refused"], Malformed) == (states, type(ended))


def test_a_steward_with_another_ca_is_not_spoken_to(world: World) -> None:
    launch = msgspec.structs.replace(world.placed().launch, steward_ca=sha256(b"another key"))

    states, ended = outcome(launch, chip=world.scene.chip, cas=world.placed().cas)

    assert "challenged" not in states
    assert isinstance(ended, Unauthentic)


def test_a_steward_that_is_down_leaves_the_question_open(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"https://127.0.0.1:{free.getsockname()[1]}"
    launch = msgspec.structs.replace(world.placed().launch, steward=url)

    _, ended = outcome(launch, chip=world.scene.chip, cas=world.placed().cas)

    assert isinstance(ended, Undetermined)
    assert ended.reason == Reason.UNREACHABLE


def test_a_steward_that_answers_nonsense_leaves_the_question_open(world: World) -> None:
    with impostor(world, b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello") as url:
        launch = msgspec.structs.replace(world.placed().launch, steward=url)
        _, ended = outcome(launch, chip=world.scene.chip, cas=world.placed().cas)

    assert isinstance(ended, Undetermined)
    assert ended.reason == Reason.UNEXPECTED_ANSWER


@pytest.mark.slow
def test_a_steward_that_is_silent_leaves_the_question_open(world: World) -> None:
    with impostor(world, b"") as url:
        launch = msgspec.structs.replace(world.placed().launch, steward=url)
        _, ended = outcome(launch, chip=world.scene.chip, cas=world.placed().cas)

    assert isinstance(ended, Undetermined)
    assert ended.reason == Reason.TIMED_OUT


class impostor:  # noqa: N801 - used like a function
    """A server with the Steward's own certificate that gives one fixed answer, or none."""

    def __init__(self, world: World, answer: bytes) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(world.scene.folder / "steward.pem", world.scene.folder / "steward.key")
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(plain,), daemon=True).start()

    def _one(self, plain: socket.socket) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                if self._answer:
                    connection.sendall(self._answer)
                else:
                    self._over.wait(60)
        except OSError:
            plain.close()


def test_a_keeps_certificate_opens_its_own_package_and_no_other(world: World) -> None:
    scene = world.scene
    trusted = ("--ca-bundle", scene.issuer, "--insecure-auth-token", scene.token)
    other = scene.folder / "packages" / "other"
    other.mkdir()
    (other / "main.wasm").write_bytes((world.package / "main.wasm").read_bytes())
    (other / "Enarx.toml").write_bytes(b'args = ["other"]\n')
    world.stage.enarx("repo", "register", f"{scene.host}/demo/other", "--private", *trusted)
    world.stage.enarx("package", "publish", f"{scene.host}/demo/other:1.0.0", other, *trusted)
    identity = stolen_identity(world)

    with Drawbridge(client_context(ca=scene.issuer.read_bytes(), identity=identity)) as registry:
        own = registry.fetch(str(world.placed().launch.source), world.placed().launch.package)
        with pytest.raises(EnarxError) as caught:
            registry.fetch(str(world.placed().launch.source).replace("/hello/", "/other/"), own.digest)

    assert own.digest == world.placed().launch.package
    assert caught.value.reason in (Reason.UNAUTHENTICATED, Reason.FORBIDDEN, Reason.NOT_FOUND)


def stolen_identity(world: World) -> Identity:
    """An identity as a Keep gets it, made with the agent's own code in this process."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from enarx.cli.deploy import launched
    from enarx.evidence.binding import Binding, Purpose, spki_digest
    from enarx.identity import request
    from enarx.identity.client import StewardClient

    placed = world.placed()
    launch = placed.launch
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with StewardClient(str(launch.steward), ca_pins=[launch.steward_ca or b""]) as steward:
        nonce = steward.nonce(launch.digest())
        binding = Binding(purpose=Purpose.ISSUE, spki=spki_digest(spki), nonce=nonce, launch=launch.digest())
        chip = launched(world.scene.chip, launch)
        assert chip is not None
        evidence, endorsements = chip.evidence(binding.sha512())
        issued = steward.attest(
            request=request.make(key), evidence=(evidence,), endorsements=endorsements, nonce=nonce, launch=launch
        )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Identity(pem, "".join(one.pem() for one in issued.chain).encode())


def test_a_deploy_without_a_tee_is_asked_for_in_so_many_words(world: World) -> None:
    refused = world.stage.enarx("deploy", f"file:{world.package}", "--backend", "process", expect=2)
    said, hint = refused.stderr.splitlines()

    assert said.startswith("enarx: no-tee: backend 'process' has no TEE")
    assert hint.startswith("hint: --insecure-backend")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_launcher_ends(world: World, tmp_path: Path, number: signal.Signals) -> None:
    loop = tmp_path / "loop"
    loop.mkdir()
    (loop / "Enarx.toml").write_bytes(b"")
    import wasmtime

    (loop / "main.wasm").write_bytes(
        wasmtime.wat2wasm('(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))')
    )
    scene = world.scene
    keep = world.stage.keep(
        f"file:{loop}", "--backend", "process", "--insecure-backend", "--simulate-tee", "snp",
        "--tee-state", scene.machine, "--steward", scene.steward, "--steward-ca", scene.issuer,
    )  # fmt: skip
    keep.wait_for("attesting")
    launcher = keep._process.pid
    family = descendants(launcher)
    assert len(family) >= 2  # agent and guest

    os.kill(launcher, number)

    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in family if alive(pid)] == []


def descendants(pid: int) -> list[int]:
    """Every process below one."""
    found: list[int] = []
    pending = [pid]
    while pending:
        children = Path(f"/proc/{pending[0]}/task").glob("*/children")
        pending += [int(one) for file in children for one in file.read_text().split()]
        found.append(pending.pop(0))
    return found[1:]


def test_events_are_told_to_programs_too(world: World, tmp_path: Path) -> None:
    scene = world.scene
    events = tmp_path / "events.jsonl"
    done = world.stage.enarx(
        "deploy", f"{scene.host}/demo/hello:1.0.0", "--backend", "process", "--insecure-backend",
        "--simulate-tee", "snp", "--tee-state", scene.machine, "--steward", scene.steward,
        "--steward-ca", scene.issuer, "--ca-bundle", scene.issuer, "--insecure-auth-token", scene.token,
        "--events", events,
    )  # fmt: skip

    told = [json.loads(line)["event"] for line in events.read_text().splitlines()]
    assert done.stdout == "Hello, world!\n"
    assert {"state", "identified", "attesting", "ended"} <= set(told)
