"""A program in a Keep shows evidence over its own bytes, and someone else judges it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from enarx.appraisal.appraise import appraise
from enarx.appraisal.policy import load
from enarx.appraisal.tied import Expected
from enarx.cli.anchors import anchors
from enarx.cli.demo import policy as written
from enarx.cli.deploy import launched
from enarx.codec.digest import sha256
from enarx.codec.x509 import from_pem
from enarx.delivery.exchange import Answer, parse_answer
from enarx.errors import Reason, Unacceptable
from enarx.evidence import cmw
from enarx.evidence.authenticate import authenticate
from enarx.evidence.binding import Binding, Purpose, spki_digest
from enarx.platform.process import ProcessKeep
from enarx.platform.simulated.store import agent_measurement
from enarx.workload.package import build
from tests.story.world import World, opened

PROGRAM = Path(__file__).resolve().parents[1] / "runtime" / "programs" / "know.c"
CHALLENGE = "challenge-of-somebody-who-relies-on-it"


@pytest.fixture(scope="module")
def shown() -> Iterator[tuple[World, Answer, bytes, bytes]]:
    """What the guest printed: its evidence; the key of its Keep; the launch digest."""
    from examples.build import build_source

    with opened() as world:
        manifest = f'args = ["{CHALLENGE}", "/attest/evidence"]\n[[files]]\nkind = "null"\n[[files]]\nkind = "stdout"\n'
        package = build({"main.wasm": build_source(PROGRAM).read_bytes(), "Enarx.toml": manifest.encode()})
        placed = world.placed()
        launch = msgspec.structs.replace(placed.launch, source=None, source_ca=None, package=package.digest)
        reader, writer = os.pipe()
        spki = b""
        with ProcessKeep(
            launch.encoded(),
            chip=launched(world.scene.chip, launch),
            attest="127.0.0.1:0",
            cas=placed.cas,
            nodes={"": package.root, **package.nodes},
            stdio={"stdout": writer},
        ) as keep:
            for event in keep.events():
                if event["event"] == "identified":
                    spki = from_pem(event["chain"], "identity")[0].spki
        os.close(writer)
        with os.fdopen(reader, "rb") as output:
            printed = output.read()
        yield world, parse_answer(printed.removesuffix(b"\n")), spki, launch.digest()


def judged(world: World, answer: Answer, binding: Binding) -> None:
    when = datetime.now(UTC)
    (evidence,) = cmw.decode(answer.evidence)
    believed = anchors(world.scene.anchors, unsafe=True)
    claims = authenticate(evidence, answer.endorsements, anchors=believed, when=when)
    loaded = load(written.text("x", agent_measurement(), None).encode(), "policy")
    expected = Expected(binding=binding, fresh=True, launch=binding.launch)
    appraise((claims,), loaded, expected, when=when).accepted()


def binding(spki: bytes, launch: bytes, data: bytes, purpose: Purpose = Purpose.GUEST) -> Binding:
    more = {"data": data} if purpose is Purpose.GUEST else {}
    return Binding(purpose=purpose, spki=spki_digest(spki), nonce=sha256(data), launch=launch, **more)


def test_a_guests_evidence_is_about_its_own_bytes(shown: tuple[World, Answer, bytes, bytes]) -> None:
    world, answer, spki, launch = shown

    judged(world, answer, binding(spki, launch, CHALLENGE.encode()))


@pytest.mark.parametrize("purpose", [Purpose.GUEST, Purpose.ISSUE])
def test_it_is_evidence_of_nothing_else(shown: tuple[World, Answer, bytes, bytes], purpose: Purpose) -> None:
    world, answer, spki, launch = shown
    data = b"other bytes" if purpose is Purpose.GUEST else CHALLENGE.encode()

    with pytest.raises(Unacceptable) as caught:
        judged(world, answer, binding(spki, launch, data, purpose))

    assert Reason.BINDING_MISMATCH == caught.value.reason
