"""`kill -9`, a full disk, a database that restarts: no certificate without its log entry, no nonce twice."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select

from enarx.errors import EnarxError, Misused, Reason, Undetermined
from enarx.identity.archive import Archive
from enarx.identity.issued import Identity
from enarx.identity.log import entry_of
from enarx.identity.merkle import Peaks, leaf_hash
from enarx.identity.schema import ENTRY
from enarx.platform.simulated.snp import SimulatedSnp
from tests.identity.parties import TRUST_DOMAIN, Keep, Pki, Serving, anchors, serving
from tests.postgres import Postgres


@pytest.fixture
def arguments(tmp_path: Path, pki: Pki, chip: SimulatedSnp, policy_file: Path) -> list[str | Path]:
    return [
        *("--crt", pki.crt, "--key", pki.key, "--policy", policy_file, "--trust-domain", TRUST_DOMAIN),
        *("--anchors", anchors(tmp_path, chip), "--unsafe-anchors", "--log-key", tmp_path / "log.key"),
    ]


@contextlib.contextmanager
def busy(chip: SimulatedSnp, pki: Pki, steward: Serving, keeps: int = 4) -> Iterator[list[Identity]]:
    """Keeps that attest without a pause; what they got is in the list."""
    got: list[Identity] = []
    stop = threading.Event()

    def one() -> None:
        while not stop.is_set():
            with contextlib.suppress(EnarxError):
                got.append(Keep(chip, pki.pin, steward.url).identity())

    threads = [threading.Thread(target=one) for _ in range(keeps)]
    for thread in threads:
        thread.start()
    try:
        yield got
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def assert_every_certificate_is_logged(url: str, got: list[Identity]) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        entries = list(connection.execute(select(ENTRY.c.entry).order_by(ENTRY.c.position)).scalars())
    peaks = Peaks()
    for entry in entries:
        peaks.append(leaf_hash(entry))
    tree = Archive(engine).tree()
    assert (len(entries), peaks.root()) == (tree.size, tree.root())
    logged = set(entries)
    for identity in got:
        assert entry_of(identity.chain[0], identity.chain[1], str(identity.spiffe_id))[0] in logged
    engine.dispose()


def waited(got: list[Identity], count: int) -> None:
    deadline = time.monotonic() + 30
    while len(got) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(got) >= count


def test_kill_9_leaves_no_certificate_without_its_entry(
    tmp_path: Path, arguments: list[str | Path], chip: SimulatedSnp, pki: Pki
) -> None:
    url = f"sqlite:///{tmp_path}/steward.sqlite"
    everything: list[Identity] = []
    for _ in range(3):
        with serving(tmp_path, *arguments, "--database", url) as steward, busy(chip, pki, steward) as got:
            waited(got, 5)
            steward.process.send_signal(signal.SIGKILL)
            steward.process.wait()
        everything += got
        assert_every_certificate_is_logged(url, everything)


def test_postgresql_may_restart_in_mid_request(
    tmp_path: Path, arguments: list[str | Path], chip: SimulatedSnp, pki: Pki
) -> None:
    postgres = Postgres(fsync=True)
    try:
        postgres.start()
        with (
            serving(tmp_path, *arguments, "--database", postgres.url, "--workers", "2") as steward,
            busy(chip, pki, steward) as got,
        ):
            for how in (signal.SIGINT, signal.SIGQUIT):
                before = len(got)
                waited(got, before + 5)
                postgres.stop(how)
                postgres.start()
            waited(got, len(got) + 5)
        assert_every_certificate_is_logged(postgres.url, got)
    finally:
        postgres.remove()


def test_a_nonce_does_not_survive_the_database_that_knew_it(
    tmp_path: Path, arguments: list[str | Path], chip: SimulatedSnp, pki: Pki
) -> None:
    postgres = Postgres()
    try:
        postgres.start()
        with serving(tmp_path, *arguments, "--database", postgres.url) as steward:
            keep = Keep(chip, pki.pin, steward.url)
            with keep.client() as client:
                nonce = client.nonce(keep.launch.digest())
                postgres.stop()
                asked = {
                    "request": keep.request,
                    "evidence": keep.evidence(nonce),
                    "endorsements": chip.endorsements(),
                    "nonce": nonce,
                    "launch": keep.launch,
                }
                with pytest.raises(Undetermined) as ended:
                    client.attest(**asked)
                assert Reason.UNREACHABLE is ended.value.reason
                postgres.start()
                deadline = time.monotonic() + 20
                while True:
                    try:
                        client.attest(**asked)
                    except Misused as error:
                        assert Reason.NONCE_UNKNOWN is error.reason
                        break
                    except Undetermined:
                        assert time.monotonic() < deadline
                        time.sleep(0.1)
            keep.identity()
    finally:
        postgres.remove()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(made, capture_output=True, check=False).returncode:
        pytest.skip("this account cannot mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_stops_issuing_and_loses_nothing(
    tmp_path: Path, small_disk: Path, arguments: list[str | Path], chip: SimulatedSnp, pki: Pki
) -> None:
    url = f"sqlite:///{small_disk}/steward.sqlite"
    with serving(tmp_path, *arguments, "--database", url) as steward:
        got = [Keep(chip, pki.pin, steward.url).identity() for _ in range(3)]
        ballast = small_disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(secrets.token_bytes(4096))
        refused = 0
        for _ in range(40):
            try:
                got.append(Keep(chip, pki.pin, steward.url).identity())
            except Undetermined as error:
                assert Reason.UNREACHABLE is error.reason
                refused += 1
        assert refused > 0
        ballast.unlink()
        got.append(Keep(chip, pki.pin, steward.url).identity())
    assert_every_certificate_is_logged(url, got)
