"""Images, programs and TPMs that are not what they should be: a named reason, at once, and never a launcher that hangs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from enarx.errors import EnarxError, Malformed, Misused, Reason, Undetermined
from enarx.platform.image import manifest as manifests
from enarx.platform.image.build import FIRMWARE, INITRD, KERNEL_ELF, MANIFEST
from enarx.platform.vm.keep_process import VmKeep
from enarx.platform.vm.machine_process import Choice
from enarx.platform.vm.plan import Accelerator
from enarx.platform.vm.shape import Boot

pytestmark = pytest.mark.slow
Opened = Callable[..., VmKeep]
DIRECT = Choice(accelerator=Accelerator.TCG, boot=Boot.DIRECT)
MEASURED = Choice(accelerator=Accelerator.TCG, boot=Boot.MEASURED)


def linked(image: Path, folder: Path, part: str, body: bytes, *, honest: bool) -> Path:
    """The image with another part; the manifest says so, or still tells the old story."""
    folder.mkdir()
    for file in image.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / part).unlink()
    (folder / part).write_bytes(body)
    if not honest:
        return folder
    manifest = manifests.parse((folder / MANIFEST).read_bytes())
    parts = {**manifest.parts, part: manifests.describe(body)}
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).write_bytes(msgspec.structs.replace(manifest, parts=parts).encoded())
    return folder


def ending(keep: VmKeep) -> EnarxError:
    with pytest.raises(EnarxError) as caught:
        list(keep.events())
    return caught.value


def test_a_truncated_image_is_not_started(opened: Opened, image_for_tests: Path, tmp_path: Path) -> None:
    half = (image_for_tests / KERNEL_ELF).read_bytes()[: 1 << 20]
    with pytest.raises(Malformed) as caught:
        opened(image=linked(image_for_tests, tmp_path / "image", KERNEL_ELF, half, honest=False))
    assert (Reason.DIGEST_MISMATCH, True) == (caught.value.reason, KERNEL_ELF in caught.value.subject)


@pytest.mark.parametrize(
    ("part", "body", "choice", "said"),
    [
        (KERNEL_ELF, b"\x7fELF" + bytes(5000), DIRECT, "qemu"),
        (FIRMWARE, bytes(1000), MEASURED, "could not load"),
        (INITRD, os.urandom(5000), DIRECT, "Kernel panic"),
    ],
    ids=["kernel", "firmware", "initramfs"],
)
def test_a_machine_that_dies_at_start_tells_why(
    opened: Opened, image_for_tests: Path, tmp_path: Path, part: str, body: bytes, choice: Choice, said: str
) -> None:
    folder = linked(image_for_tests, tmp_path / "image", part, body, honest=True)
    error = ending(opened(image=folder, choice=choice))
    assert (Undetermined, Reason.KEEP_DIED) == (type(error), error.reason)
    assert said in error.subject


def test_a_tpm_that_dies_takes_its_machine_along_and_is_named(opened: Opened, image_for_tests: Path) -> None:
    keep = opened(image=image_for_tests, choice=MEASURED)
    assert keep.machine.tpm is not None
    keep.machine.tpm.stop()
    error = ending(keep)
    assert (Reason.KEEP_DIED, True) == (error.reason, "TPM" in error.subject or "tpm" in error.subject)


@pytest.mark.parametrize(("choice", "program"), [(DIRECT, "QEMU"), (MEASURED, "swtpm")], ids=["QEMU", "swtpm"])
def test_a_program_that_is_not_installed_is_named_with_its_package(
    opened: Opened, image_for_tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: Choice, program: str
) -> None:
    if program == "swtpm":  # everything but swtpm is found
        (tmp_path / "qemu-system-x86_64").symlink_to(shutil.which("qemu-system-x86_64") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misused) as caught:
        opened(image=image_for_tests, choice=choice)
    assert (Reason.BACKEND_UNAVAILABLE, f"{program} is not installed") == (caught.value.reason, caught.value.subject)
    assert "apt-get install" in caught.value.hint
