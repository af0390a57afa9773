"""An administrator's verbs, as they are typed, against a Steward that asks for two persons."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from enarx.errors import Unacceptable
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import TRUST_DOMAIN, Keep, Pki, anchors, policy_text, serving

OLD, NEW = "11" * 48, "22" * 48


def text(measurement: str) -> str:
    return policy_text(hash=f'["{measurement}"]')


class World:
    def __init__(self, folder: Path, url: str, pki: Pki, chip: SimulatedSnp) -> None:
        self.folder = folder
        self.url = url
        self.pki = pki
        self.chip = chip
        (folder / "root.crt").write_bytes(pki.root.certificates_pem())

    def identity(self, measurement: str) -> Any:
        return Keep(self.chip.launched(measurement=bytes.fromhex(measurement)), self.pki.pin, self.url).identity()

    def policy(self, measurement: str) -> Path:
        path = self.folder / f"{measurement[:4]}.toml"
        path.write_text(text(measurement))
        return path


@pytest.fixture
def world(enarx: Callable[..., Any], tmp_path: Path) -> Iterator[World]:
    pki, chip = Pki(tmp_path), SimulatedSnp.made(datetime.now(UTC))
    said = [enarx("steward", "token", name, "--out", tmp_path / f"{name}.token") for name in ("anna", "ben")]
    assert [0, 0] == [one.code for one in said]
    (tmp_path / "administrators.toml").write_text("".join(one.out for one in said))
    (tmp_path / "policy.toml").write_text(text(OLD))
    with serving(
        tmp_path,
        *("--crt", pki.crt, "--key", pki.key, "--policy", tmp_path / "policy.toml", "--trust-domain", TRUST_DOMAIN),
        *("--anchors", anchors(tmp_path, chip), "--unsafe-anchors", "--persons", "2"),
        *("--administrators", tmp_path / "administrators.toml"),
    ) as steward:
        yield World(tmp_path, steward.url, pki, chip)


@pytest.fixture
def typed(enarx: Callable[..., Any], world: World) -> Callable[..., SimpleNamespace]:
    def run(*arguments: object, who: str = "anna") -> SimpleNamespace:
        reach = ("--ca", world.folder / "root.crt", "--token-file", world.folder / f"{who}.token")
        found: SimpleNamespace = enarx("steward", *arguments, *reach, ENARX_STEWARD=world.url)
        return found

    return run


def test_a_change_of_policy_from_the_first_look_to_the_last(world: World, typed: Callable[..., Any]) -> None:
    world.identity(OLD)
    time.sleep(1.5)
    shown = typed("policy", "show", "test")
    assert (0, text(OLD)) == (shown.code, shown.out)
    tried = typed("policy", "dry-run", world.policy(NEW))
    assert 1 == tried.code
    assert "measurement-not-accepted" in tried.out
    assert "1 requests, 1 accepted then and refused now, 0 the other way" in tried.out
    assert 0 == typed("policy", "dry-run", world.policy(OLD)).code
    proposed = typed("policy", "propose", world.policy(NEW), "--overlap", "0", "--json")
    number = json.loads(proposed.out)["id"]
    alone = typed("policy", "approve", number)
    assert (1, "enarx: forbidden: approval\n") == (alone.code, alone.err.partition("hint")[0])
    world.identity(OLD)
    approved = typed("policy", "approve", number, who="ben")
    assert (0, f"policy test, version {number}: in force\n") == (approved.code, approved.out)
    world.identity(NEW)
    with pytest.raises(Unacceptable):
        world.identity(OLD)
    history = typed("policy", "history").out.splitlines()
    assert ["number", str(number)] == [line.split()[0] for line in history]
    assert ["anna", "ben"] == history[1].split()[3:5]
    assert text(NEW) == typed("policy", "show", number).out
    listed = json.loads(typed("policy", "list", "--json").out)
    assert [(number, "test")] == [(one["id"], one["name"]) for one in listed]
    assert 0 == typed("policy", "retire", "test").code
    assert [] == json.loads(typed("policy", "list", "--json").out)


def test_revoking_and_the_refusals(world: World, typed: Callable[..., Any]) -> None:
    world.identity(OLD)
    with pytest.raises(Unacceptable):
        world.identity(NEW)
    time.sleep(1.5)
    assert "measurement-not-accepted" in typed("audit").out
    assert "test" == json.loads(typed("audit", "--json").out)[0]["policy"]
    done = typed("revoke", "--measurement", OLD.upper(), "--reason", "superseded")
    assert (0, "1 certificates revoked\n") == (done.code, done.out)
    assert (1, {"count": 0}) == ((again := typed("revoke", "--policy", "test", "--json")).code, json.loads(again.out))
    facts = json.loads(typed("tenant", "--json", who="ben").out)
    assert ("ben", ["anna", "ben"], 2, TRUST_DOMAIN) == (
        facts["you"],
        facts["administrators"],
        facts["persons"],
        facts["trust_domain"],
    )
    assert "you are         anna" in typed("tenant").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("policy", "show", "nothing"), 2, "enarx: not-found: policy 'nothing'"),
        (("policy", "approve", "99"), 2, "enarx: not-found: policy version 99"),
        (("policy", "retire", "nothing"), 2, "enarx: not-found: policy 'nothing'"),
        (("policy", "propose", "absent.toml"), 2, "enarx: file-unreadable: absent.toml"),
        (("revoke",), 2, "enarx: missing: what to revoke"),
        (("revoke", "--measurement", "xyz"), 2, "enarx: syntax: --measurement"),
        (("revoke", "--policy", "test", "--reason", "whim"), 2, "enarx: unknown-value: reason 'whim'"),
        (("tenant", "--steward", "https://127.0.0.1:1"), 3, "enarx: unreachable: the steward at 127.0.0.1:1"),
        (("tenant", "--steward", "http://127.0.0.1:1"), 2, "enarx: syntax: steward URL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_goes_wrong(typed: Callable[..., Any], arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = typed(*arguments)
    assert (code, "") == (ended.code, ended.out)
    assert ended.err.startswith(said)


def test_who_is_nobody_gets_nothing(enarx: Callable[..., Any], world: World, typed: Callable[..., Any]) -> None:
    (world.folder / "eve.token").write_text("guessed\n")
    ended = typed("policy", "list", who="eve")
    assert (1, "enarx: unauthenticated: administrator\n") == (ended.code, ended.err.partition("hint")[0])
    (world.folder / "empty.token").write_text("\n")
    assert 2 == typed("tenant", who="empty").code
    again = enarx("steward", "token", "anna", "--out", world.folder / "anna.token")
    assert (2, True) == (again.code, "file-unwritable" in again.err)
