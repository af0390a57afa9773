# SPDX-License-Identifier: Apache-2.0
"""`/sealed` with real Keeps: a tenant's broker that releases its root, and a machine that derives one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from enarx.cli.demo import policy as policies
from enarx.cli.deploy import launched
from enarx.delivery.release_client import release
from enarx.delivery.sealed import Book
from enarx.delivery.sealed_client import broker
from enarx.errors import EnarxError, Reason
from enarx.platform.process import ProcessKeep
from enarx.platform.simulated.store import ANCHORS, agent_measurement
from enarx.workload.launch import Launch
from examples.build import build
from tests.story.tenant import Running, Tenant, made, now, opened

MANIFEST = """
[[files]]
kind = "null"
[[files]]
kind = "stdout"
[[files]]
kind = "null"
[sealed]
seal = "{seal}"
bind = "{bind}"
rollback = "{rollback}"
"""


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return made(tmp_path_factory.mktemp("tenant"))


@pytest.fixture(scope="module")
def steward(tenant: Tenant) -> Iterator[str]:
    with opened(tenant, tenant.launch()) as keep:
        release(keep.url(), tenant.secrets(), tenant.terms(), when=now())
        yield f"https://{keep.wait_for('listening')['address']}"


class Site(msgspec.Struct, frozen=True):
    """A package that keeps files, a launch document for each command, and the host's folder."""

    tenant: Tenant
    steward: str
    folder: Path

    def package(self, seal: str, rollback: str, bind: str = "launch") -> Path:
        package = self.folder / "keep"
        package.mkdir(exist_ok=True)
        (package / "main.wasm").write_bytes(build("sealed-c").read_bytes())
        (package / "Enarx.toml").write_text(MANIFEST.format(seal=seal, rollback=rollback, bind=bind))
        return package

    @contextmanager
    def keep(self, package: Path, *arguments: str, **more: object) -> Iterator[tuple[Running, Launch, int]]:
        placed = self.tenant.placed(
            f"file:{package}",
            steward=self.steward,
            steward_ca=self.tenant.folder / "issuer.pem",
            arguments=arguments,
            **more,
        )
        reader, writer = os.pipe()
        with ProcessKeep(
            placed.launch.encoded(),
            chip=launched(self.tenant.chip, placed.launch),
            attest="127.0.0.1:0",
            cas=placed.cas,
            nodes=placed.nodes,
            stdio={"stdout": writer},
            sealed=self.folder / "host",
        ) as keep:
            os.close(writer)
            yield Running(keep), placed.launch, reader
        os.close(reader)


@pytest.fixture
def site(tenant: Tenant, steward: str, tmp_path: Path) -> Site:
    return Site(tenant, steward, tmp_path)


SAME = ("put", "/sealed/count", "one more", "get", "/sealed/count", "get", "/attest/sealed")


def printed(reader: int) -> list[str]:
    with os.fdopen(os.dup(reader)) as output:
        return output.read().splitlines()


class Books:
    """A broker that writes its book here."""

    def __init__(self, tenant: Tenant, root: bytes = b"\7" * 32) -> None:
        self.tenant = tenant
        self.book = Book(root)
        self.failed: EnarxError | None = None

    def serve(self, url: str, launch: Launch) -> threading.Thread:
        terms = self.tenant.terms(self.tenant.policy(package=launch.package), launch.encoded())

        def hold() -> None:
            try:
                broker(url, self.book, terms, when=now(), write=self._note, released=lambda: None).require()
            except EnarxError as error:
                self.failed = error

        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        return thread

    def _note(self, book: Book) -> None:
        self.book = book


def run(site: Site, books: Books, package: Path) -> tuple[list[str], Running]:
    with site.keep(package, *SAME) as (keep, launch, reader):
        serving = books.serve(keep.url(), launch)
        keep.wait_for("ended")
        lines = printed(reader)
    serving.join(10)
    assert books.failed is None
    return lines, keep


def test_files_outlive_the_keep_and_a_rollback_is_refused(site: Site) -> None:
    books, package = Books(site.tenant), site.package("tenant", "detected")
    expected = ["put ok", "one more", "seal: tenant", "rollback: detected", ""]
    assert expected == run(site, books, package)[0]
    assert books.book.held is not None
    first = books.book.held.version
    before = site.folder / "before"
    shutil.copytree(site.folder / "host", before)

    assert expected == run(site, books, package)[0]
    assert books.book.held.version > first

    shutil.rmtree(site.folder / "host")
    before.rename(site.folder / "host")
    with site.keep(package, *SAME) as (keep, launch, _):
        books.serve(keep.url(), launch)
        refused = keep.refusal()
    assert Reason.NOT_FRESH == refused.reason
    assert "hint" not in refused.subject


def test_the_command_releases_the_root_and_holds_the_version(site: Site) -> None:
    package, volume, launched_as = site.package("tenant", "detected"), site.folder / "volume", site.folder / "launch"
    with site.keep(package, *SAME) as (keep, launch, reader):
        launched_as.write_bytes(launch.encoded())
        policy = site.folder / "policy.toml"
        policy.write_text(policies.text("sealed", agent_measurement(), [launch.package]))
        command = [sys.executable, "-m", "enarx", "broker", keep.url(), "--volume", str(volume)]
        command += ["--policy", str(policy), "--launch", str(launched_as), "--tenant-key", str(site.tenant.key)]
        command += ["--anchors", str(site.tenant.machine / ANCHORS), "--unsafe-anchors"]
        serving = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        keep.wait_for("ended")
        assert "put ok" == printed(reader)[0]
    _, said = serving.communicate(timeout=30)
    assert 0 == serving.returncode, said
    assert "holding its version" in said
    written = json.loads(volume.read_text())
    assert written["held"]["version"] > 0
    assert 0o600 == volume.stat().st_mode & 0o777


def test_another_launch_of_the_same_tenant_does_not_read_it(site: Site) -> None:
    books, package = Books(site.tenant), site.package("tenant", "detected")
    run(site, books, package)
    with site.keep(package, "get", "/sealed/count") as (keep, launch, _):
        books.serve(keep.url(), launch)
        assert Reason.SIGNATURE_INVALID == keep.refusal().reason


def test_another_root_opens_nothing(site: Site) -> None:
    books, package = Books(site.tenant), site.package("tenant", "detected")
    run(site, books, package)
    with site.keep(package, *SAME) as (keep, launch, reader):
        Books(site.tenant, b"\x08" * 32).serve(keep.url(), launch)
        assert Reason.SIGNATURE_INVALID == keep.refusal().reason
        assert [] == printed(reader)


def test_this_machine_derives_the_root_and_the_mount_says_what_that_is_worth(site: Site) -> None:
    package = site.package("this-machine", "not detected")
    for _ in range(2):
        with site.keep(package, *SAME) as (keep, _, reader):
            assert {"seal": "this-machine", "rollback": "not detected"} == {
                name: value for name, value in keep.wait_for("sealed").items() if name != "event"
            }
            assert 0 == keep.wait_for("ended")["code"]
            lines = printed(reader)
        assert ["put ok", "one more", "seal: this-machine", "rollback: not detected", ""] == lines


def test_nobody_promises_detection_who_cannot_detect(site: Site) -> None:
    with site.keep(site.package("this-machine", "detected"), *SAME) as (keep, _, _reader):
        refused = keep.refusal()
    assert Reason.NOT_FRESH == refused.reason
    assert "not detected" in refused.hint


def signed(site: Site, package: Path, version: int) -> dict[str, object]:
    key, public, jws = (site.folder / name for name in ("sign.pem", "sign.pub", f"{version}.jws"))
    if not key.exists():
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
        subprocess.run(["openssl", "ec", "-in", key, "-pubout", "-out", public], check=True, stderr=subprocess.DEVNULL)
    command = [sys.executable, "-m", "enarx", "package", "sign", str(package), "--key", str(key)]
    subprocess.run([*command, "--security-version", str(version), "--out", str(jws)], check=True)
    return {"package_signature": jws, "package_key": public}


def test_packages_of_one_signer_share_a_volume_and_lower_versions_are_refused(site: Site) -> None:
    package = site.package("this-machine", "not detected", "signer")
    with site.keep(package, *SAME, **signed(site, package, 4)) as (keep, _, reader):
        keep.wait_for("ended")
        assert "put ok" == printed(reader)[0]
    (package / "more.txt").write_text("another package of the same signer\n")
    with site.keep(package, "get", "/sealed/count", **signed(site, package, 5)) as (keep, _, reader):
        keep.wait_for("ended")
        assert ["one more"] == printed(reader)
    with site.keep(package, "put", "/sealed/new", "x", **signed(site, package, 5)) as (keep, _, reader):
        keep.wait_for("ended")
    (package / "more.txt").unlink()
    with site.keep(package, *SAME, **signed(site, package, 4)) as (keep, _, reader):
        assert Reason.SECURITY_VERSION_TOO_LOW == keep.refusal().reason


def test_a_changed_object_is_an_error_to_the_guest_and_an_event_to_its_owner(site: Site) -> None:
    package = site.package("this-machine", "not detected")
    arguments = ("get", "/sealed/count", "put", "/sealed/count", "one more")
    with site.keep(package, *arguments) as (keep, _, reader):
        keep.wait_for("ended")
        assert ["get No such file or directory", "put ok"] == printed(reader)
    (chunk,) = (file for file in (site.folder / "host").iterdir() if file.stat().st_size == 16 + len("one more") + 16)
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\0")
    with site.keep(package, *arguments) as (keep, _, reader):
        found = keep.wait_for("not-sealed")
        keep.wait_for("ended")
        assert "get I/O error" == printed(reader)[0]
    assert "digest-mismatch" == found["reason"]
