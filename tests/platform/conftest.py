"""Real parts for the tests of the Keep's machine: the image, QEMU, swtpm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from enarx.errors import Reason, Undetermined
from enarx.platform.image import folder_store, update
from enarx.platform.image.build import Image, build
from enarx.platform.image.lock import Lock
from enarx.platform.image.store import Store, default_folder
from enarx.platform.vm.keep_process import VmKeep
from enarx.platform.vm.machine_process import Choice
from enarx.platform.vm.plan import Accelerator
from enarx.platform.vm.shape import Boot
from enarx.workload.launch import Launch

ROOT = Path(__file__).resolve().parents[2]
AGENT = Path(__file__).parent / "vm" / "agent_for_tests.py"
LAUNCH = Launch(package=b"p" * 32, tenant=b"tenant", deployment=b"d" * 16).encoded()


def missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI needs it")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def programs() -> None:
    """QEMU and swtpm, installed where that is allowed."""
    if shutil.which("qemu-system-x86_64") and shutil.which("swtpm"):
        return
    done = subprocess.run(["bash", str(ROOT / "tools" / "install-vm.sh")], check=False, stdout=sys.stderr)
    if done.returncode:
        missing("QEMU or swtpm")


@pytest.fixture(scope="session")
def image_inputs() -> tuple[Lock, Store, Callable[..., bytes]]:
    """The lock file and its packages. Where pins have vanished from the archive, today's packages, said aloud."""
    store = Store(default_folder())
    lock = folder_store.read_lock(folder_store.default_lock())
    said: list[str] = []
    try:
        fetched = folder_store.fetch(lock, store, say=said.append)
    except Undetermined as error:
        if error.reason is not Reason.NOT_FOUND:
            missing(f"the image's packages ({error})")
        print(f"the image's pins are stale: {error}", file=sys.stderr)
        lock = update.moved(lock, store, wheels={wheel.name: wheel.version for wheel in lock.wheels})
        fetched = folder_store.fetch(lock, store, say=said.append)
    return lock, store, fetched


@pytest.fixture(scope="session")
def own() -> dict[str, bytes]:
    """Enarx's sources as they are now: every image of a run is made of the same ones."""
    return folder_store.own_sources()


@pytest.fixture(scope="session")
def built(image_inputs: tuple[Lock, Store, Any], own: dict[str, bytes]) -> Image:
    """The image as `enarx image build` makes it."""
    lock, store, fetched = image_inputs
    return build(lock, own, fetched=fetched, store=store, version="0")


@pytest.fixture(scope="session")
def image(built: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    folder = tmp_path_factory.mktemp("image")
    folder_store.write(built, folder)
    return folder


@pytest.fixture(scope="session")
def image_for_tests(
    image_inputs: tuple[Lock, Store, Any], own: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same image, with an agent that does what tests ask."""
    lock, store, fetched = image_inputs
    with_agent = {**own, "enarx/platform/vm/agent.py": AGENT.read_bytes()}
    folder = tmp_path_factory.mktemp("image-for-tests")
    folder_store.write(build(lock, with_agent, fetched=fetched, store=store, version="0"), folder)
    return folder


@pytest.fixture(scope="session")
def opened(programs: None, image_for_tests: Path) -> Iterator[Callable[..., VmKeep]]:
    """Starts machines; ends those that a test left running."""
    running: list[VmKeep] = []

    def start(**more: Any) -> VmKeep:
        choice = more.pop("choice", Choice(accelerator=Accelerator.TCG, boot=Boot.DIRECT))
        keep = VmKeep(LAUNCH, image=more.pop("image", image_for_tests), choice=choice, **more)
        running.append(keep)
        return keep

    yield start
    for keep in running:
        keep.stop()
