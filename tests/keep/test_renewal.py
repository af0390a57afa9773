"""When a Keep asks for its next certificate, and that it does."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from enarx.cli.demo.setting import TRUST_DOMAIN
from enarx.delivery.client import ask
from enarx.keep.renewal import AT_LEAST, AT_MOST, again, due
from tests.story.world import opened

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_is_asked_for_half_way() -> None:
    assert START + timedelta(hours=12) == due(START, START + timedelta(hours=24))


def test_it_is_asked_for_more_often_towards_the_end() -> None:
    end = START + timedelta(days=2)

    assert START + AT_MOST == again(end, when=START)
    assert end - timedelta(minutes=10) + timedelta(minutes=1) == again(end, when=end - timedelta(minutes=10))
    assert end + AT_LEAST == again(end, when=end)


@pytest.mark.slow
def test_a_keep_lives_on_under_its_next_certificate() -> None:
    """A Steward whose certificates live 70 s: after half of that the Keep shows another one."""
    import wasmtime

    with opened() as world:
        scene = world.scene
        steward = world.stage.service(
            "steward",
            "--crt", scene.folder / "ca.pem", "--key", scene.folder / "ca.key",
            "--tls-crt", scene.folder / "steward.pem", "--tls-key", scene.folder / "steward.key",
            "--addr", "127.0.0.1", "--port", "0", "--trust-domain", TRUST_DOMAIN, "--lifetime", str(70 / 3600),
            "--policy", scene.folder / "steward.toml", "--anchors", scene.anchors, "--unsafe-anchors",
        )  # fmt: skip
        loop = scene.folder / "packages" / "loop"
        loop.mkdir()
        (loop / "Enarx.toml").write_bytes(b"")
        (loop / "main.wasm").write_bytes(
            wasmtime.wat2wasm('(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))')
        )
        keep = world.stage.keep(
            f"file:{loop}", "--backend", "process", "--insecure-backend", "--simulate-tee", "snp",
            "--tee-state", scene.machine, "--steward", steward, "--steward-ca", scene.issuer,
        )  # fmt: skip
        url = f"https://{keep.wait_for('attesting')['address']}"
        first = ask(url).chain[0]

        deadline = time.monotonic() + 60
        while (shown := ask(url).chain[0]) == first and time.monotonic() < deadline:
            time.sleep(1)

    assert shown.not_after > first.not_after
    assert (first.spki, first.uris()) == (shown.spki, shown.uris())
