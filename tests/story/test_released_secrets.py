"""Secrets for a guest: a Keep waits for them, takes them from its tenant alone, and the guest reads files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from enarx.cli import order
from enarx.cli.deploy import launched
from enarx.delivery.release import Secrets
from enarx.delivery.release_client import release
from enarx.errors import Reason
from enarx.platform.process import ProcessKeep
from examples.build import build_source
from tests.story.tenant import Running, Tenant, made, now, opened

PROGRAM = Path(__file__).parents[1] / "runtime" / "programs" / "know.c"
PASSWORD = Secrets({"password": b"hunter2"})
MANIFEST = '[[files]]\nkind = "null"\n\n[[files]]\nkind = "stdout"\n\n[[files]]\nkind = "null"\n'


class Guest(msgspec.Struct, frozen=True):
    """A Keep that waits for its guest's secrets."""

    keep: Running
    placed: order.Placed
    output: int

    def printed(self) -> str:
        with os.fdopen(self.output) as output:
            return output.read()


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return made(tmp_path_factory.mktemp("tenant"))


@pytest.fixture(scope="module")
def steward(tenant: Tenant) -> Iterator[str]:
    """A Steward, in a Keep, for this tenant's guests."""
    with opened(tenant, tenant.launch()) as keep:
        release(keep.url(), tenant.secrets(), tenant.terms(), when=now())
        yield f"https://{keep.wait_for('listening')['address']}"


@contextmanager
def waiting(tenant: Tenant, steward: str, folder: Path) -> Iterator[Guest]:
    """A guest that prints its file `/secrets/password`."""
    package = folder / "know"
    package.mkdir()
    (package / "main.wasm").write_bytes(build_source(PROGRAM).read_bytes())
    (package / "Enarx.toml").write_text(MANIFEST)
    placed = tenant.placed(
        f"file:{package}",
        steward=steward,
        steward_ca=tenant.folder / "issuer.pem",
        arguments=("", "/secrets/password"),
        secrets=("password",),
    )
    reader, writer = os.pipe()
    with ProcessKeep(
        placed.launch.encoded(),
        chip=launched(tenant.chip, placed.launch),
        attest="127.0.0.1:0",
        cas=placed.cas,
        nodes=placed.nodes,
        stdio={"stdout": writer},
    ) as keep:
        os.close(writer)
        yield Guest(Running(keep), placed, reader)


def test_a_guest_reads_what_its_tenant_released(tenant: Tenant, steward: str, tmp_path: Path) -> None:
    with waiting(tenant, steward, tmp_path) as guest:
        url = guest.keep.url()
        awaited = guest.keep.wait_for("awaiting")["secrets"]
        before = guest.keep.states()
        policy = tenant.policy(package=guest.placed.launch.package)
        judged = release(url, PASSWORD, tenant.terms(policy, guest.placed.launch.encoded()), when=now())
        code = guest.keep.wait_for("ended")["code"]
        printed = guest.printed()

    assert judged.refusal() is None
    assert ["password"] == awaited
    assert "running" not in before
    assert (0, "hunter2\n") == (code, printed)


def test_nothing_is_released_to_a_launch_that_only_the_host_has_seen(
    tenant: Tenant, steward: str, tmp_path: Path
) -> None:
    with waiting(tenant, steward, tmp_path) as guest:
        policy = tenant.policy(package=guest.placed.launch.package)
        refusal = release(guest.keep.url(), PASSWORD, tenant.terms(policy), when=now()).refusal()
        guest.keep.keep.ask_to_stop()
        ended = guest.keep.refusal()

    assert refusal is not None
    assert Reason.LAUNCH_MISMATCH == refusal.reason
    assert Reason.MISSING == ended.reason
    assert "" == guest.printed()


def test_other_secrets_than_the_launch_names_start_nothing(tenant: Tenant, steward: str, tmp_path: Path) -> None:
    with waiting(tenant, steward, tmp_path) as guest:
        policy = tenant.policy(package=guest.placed.launch.package)
        terms = tenant.terms(policy, guest.placed.launch.encoded())
        release(guest.keep.url(), Secrets({"pass-word": b"hunter2"}), terms, when=now())
        ended = guest.keep.refusal()

    assert Reason.LAUNCH_MISMATCH == ended.reason
    assert "hunter2" not in f"{ended} {ended.hint}"
    assert "" == guest.printed()
