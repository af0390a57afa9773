"""Several tenants in one process: each with its own CA, trust domain, roots, policies, administrators and audit."""

from __future__ import annotations

import hashlib
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from enarx.errors import Misused, Reason, Unauthentic
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import ENARX, Keep, Pki, Serving, anchors, policy_text, serving
from tests.postgres import Postgres

HOSTS = {"one": "steward.one.test", "two": "steward.two.test"}


@pytest.fixture(autouse=True)
def _names_of_tests_are_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that knows the tenants' names."""
    known = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **more: Any) -> Any:
        return known("127.0.0.1" if str(host).endswith(".test") else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def tenant(folder: Path, name: str, pki: Pki, chip: SimulatedSnp, *, more: str = "") -> str:
    own = folder / name
    own.mkdir()
    (own / "policy.toml").write_text(policy_text())
    digest = hashlib.sha256(f"token of {name}".encode()).hexdigest()
    (own / "administrators.toml").write_text(f'[[administrator]]\nname = "anna"\ntoken_sha256 = "{digest}"\n')
    anchors(own, chip)
    return f"""
[[tenant]]
name = "{name}"
hosts = ["{HOSTS[name]}"]
trust_domain = "{name}.test"
crt = "{pki.crt.name}"
key = "{pki.key.name}"
policies = ["{name}/policy.toml"]
administrators = "{name}/administrators.toml"
anchors = "{name}/anchors"
unsafe_anchors = true
{more}
"""


class Both:
    """One Steward of two tenants, each of whom trusts a processor of its own."""

    def __init__(self, serving: Serving, pkis: dict[str, Pki], chips: dict[str, SimulatedSnp]) -> None:
        self.port = serving.url.rpartition(":")[2]
        self.log = serving
        self.pkis = pkis
        self.chips = chips

    def url(self, name: str) -> str:
        return f"https://{HOSTS[name]}:{self.port}"

    def keep(self, name: str, **changes: Any) -> Keep:
        return Keep(changes.get("chip", self.chips[name]), self.pkis[name].pin, self.url(name))

    def web(self, name: str, **more: Any) -> httpx.Client:
        context = ssl.create_default_context(cadata=self.pkis[name].root.certificates_pem().decode())
        return httpx.Client(base_url=self.url(name), verify=context, trust_env=False, **more)


@pytest.fixture(scope="module", params=["sqlite", "postgresql with two workers"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, chip: SimulatedSnp, postgres: Postgres
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("tenants")
    pkis = {name: Pki(folder, name=name, domain=f"{name}.test") for name in HOSTS}
    chips = {"one": chip, "two": SimulatedSnp.made(datetime.now(UTC))}
    (folder / "tenants.toml").write_text("".join(tenant(folder, name, pkis[name], chips[name]) for name in HOSTS))
    more = [] if request.param == "sqlite" else ["--database", postgres.create(f"d{secrets.token_hex(4)}")]
    more += [] if request.param == "sqlite" else ["--log-key", folder / "log.key", "--workers", "2"]
    with serving(folder, "--tenants", folder / "tenants.toml", "--log-origin", "stewards.test/log", *more) as steward:
        yield Both(steward, pkis, chips)


def test_each_tenants_keeps_get_identities_of_its_own_trust_domain(both: Both) -> None:
    for name in HOSTS:
        found = both.keep(name).identity()
        assert f"{name}.test" == found.spiffe_id.trust_domain
        assert both.pkis[name].root.path[0].raw == found.chain[-1].raw


def test_one_tenants_roots_are_not_the_others(both: Both) -> None:
    with pytest.raises(Unauthentic) as refused:
        both.keep("one", chip=both.chips["two"]).identity()
    assert Reason.UNKNOWN_ANCHOR is refused.value.reason


def test_a_tenants_ca_vouches_for_its_own_host_alone(both: Both) -> None:
    stranger = Keep(both.chips["one"], both.pkis["one"].pin, both.url("two"))
    with pytest.raises(Unauthentic) as refused:
        stranger.identity()
    assert Reason.UNKNOWN_ANCHOR is refused.value.reason


def test_a_nonce_of_one_tenant_is_none_of_the_others(both: Both) -> None:
    one = both.keep("one")
    with one.client() as here, both.keep("two").client() as there:
        nonce = here.nonce(one.launch.digest())
        with pytest.raises(Misused) as refused:
            there.attest(
                request=one.request,
                evidence=one.evidence(nonce),
                endorsements=one.chip.endorsements(),
                nonce=nonce,
                launch=one.launch,
            )
    assert Reason.NONCE_UNKNOWN is refused.value.reason


def test_administrators_policies_and_refusals_are_each_tenants_own(both: Both) -> None:
    with pytest.raises(Unauthentic):
        both.keep("two", chip=both.chips["one"]).identity()
    time.sleep(1.5)
    answers = {}
    for name in HOSTS:
        with both.web(name) as web:
            for person, status in ((name, 200), (*(HOSTS.keys() - {name}), 401)):
                headers = {"authorization": f"Bearer token of {person}"}
                answer = web.get("/v1/admin/refusals", headers=headers)
                assert status == answer.status_code
                answers[name] = answer.json() if status == 200 else answers.get(name)
            mine = {"authorization": f"Bearer token of {name}"}
            made = web.post("/v1/admin/policies", headers=mine, json={"text": policy_text()})
            assert (201, 1) == (made.status_code, len(web.get("/v1/admin/policies", headers=mine).json()))
            assert 200 == web.post("/v1/admin/policies/retire", headers=mine, json={"name": "test"}).status_code
            made = web.post("/v1/admin/policies", headers=mine, json={"text": policy_text()})
            assert 201 == made.status_code
    assert "unknown-anchor" in {one["reason"] for one in answers["two"]}
    assert all({name} >= {one["tenant"] for one in answers[name]} for name in HOSTS)


def test_a_host_that_is_nobodys_is_refused_and_health_is_everybodys(both: Both) -> None:
    with both.web("one") as web:
        answer = web.get("/v1/trust-bundle", headers={"host": "steward.three.test"})
        assert (404, "not-found") == (answer.status_code, answer.json()["reason"])
        assert 200 == web.get("/readyz", headers={"host": "10.0.0.1:8080"}).status_code


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "two"', 'name = "one"'), "two tenants with one name"),
        (("steward.two.test", "steward.one.test"), "two tenants with one host"),
        (('crt = "two.crt"\nkey = "two.key"', 'crt = "one.crt"\nkey = "one.key"'), "name constraints"),
        (('trust_domain = "two.test"', 'trust_domain = "one.test"'), "name constraints"),
        (("unsafe_anchors = true", "unsafe = true"), "unknown field"),
        (('hosts = ["steward.two.test"]', "hosts = []"), "hosts"),
        (("[[tenant]]", "[tenant"), "tenants.toml:"),
    ],
    ids=lambda value: value[1].replace("\n", " ")[:40] if isinstance(value, tuple) else "",
)
def test_tenants_that_do_not_go_together_are_refused(
    tmp_path: Path, chip: SimulatedSnp, change: tuple[str, str], said: str
) -> None:
    pkis = {name: Pki(tmp_path, name=name, domain=f"{name}.test") for name in HOSTS}
    text = "".join(tenant(tmp_path, name, pkis[name], chip) for name in HOSTS)
    (tmp_path / "tenants.toml").write_text(text[: len(text) // 2] + text[len(text) // 2 :].replace(*change))
    command = [*ENARX, "steward", "serve", "--port", "0", "--tenants", str(tmp_path / "tenants.toml")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert 2 == ended.returncode
    assert said in ended.stderr
