"""A boot that firmware measures into a software TPM, quoted, judged and held against the prediction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.appraisal import tpm as policies
from enarx.errors import Reason
from enarx.evidence import event_log, tpm
from enarx.evidence.anchor import Anchors
from enarx.evidence.check import Verdict
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.tpm_key import parse as parse_key
from enarx.measurement import tpm as predictions
from enarx.platform.image import folder_store
from enarx.platform.image import manifest as manifests
from enarx.platform.image.build import CMDLINE, INITRD, KERNEL, MANIFEST
from enarx.platform.vm.keep_process import VmKeep
from enarx.platform.vm.machine_process import Choice
from enarx.platform.vm.plan import Accelerator
from enarx.platform.vm.shape import Boot

pytestmark = pytest.mark.slow
CHALLENGE, LAUNCH = b"c" * 32, b"L" * 32
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def quoted(opened: Callable[..., VmKeep], image: Path) -> Evidence:
    keep = opened(image=image, choice=Choice(accelerator=Accelerator.TCG, boot=Boot.MEASURED))
    events = keep.events()
    next(message for message in events if message["event"] == "attesting")
    keep._send({"op": "tpm", "launch": LAUNCH, "challenge": CHALLENGE})
    made = next(message for message in events if message["event"] == "quoted")
    keep.stop()
    pcrs = b"".join(made["pcrs"][str(number)] for number in range(16))
    parts = {name: made[name] for name in ("signature", "ak_public", "event_log")}
    return Evidence(Kind.TPM, made["attest"], {**parts, "pcrs": pcrs})


def judged(evidence: Evidence) -> tpm.TpmClaims:
    """The host owns this TPM, so nobody but the test vouches for its key."""
    trusted = Anchors("unsafe", {}, keys=(parse_key(evidence.parts["ak_public"]).spki(),))
    return tpm.judge(evidence, NOTHING, anchors=trusted, when=WHEN)


def expected(folder: Path) -> tuple[predictions.Extended, ...]:
    manifest, parts = folder_store.read(folder, (KERNEL, INITRD))
    return predictions.events(kernel=parts[KERNEL], initrd=parts[INITRD], command_line=manifest.command_line)


def refused(claims: tpm.TpmClaims, folder: Path) -> list[str]:
    """The names of the checks that fail under a policy made of the prediction for an image."""
    values = predictions.registers(expected(folder)) | {11: predictions.launch_register(LAUNCH)}
    lists = {str(number): frozenset({value.hex()}) for number, value in values.items()}
    policy = msgspec.structs.replace(policies.unchecked(), pcrs={"sha256": lists})
    checks = policies.appraise(claims, policy, when=WHEN)
    return [check.name for check in checks if check.verdict is Verdict.FAILED]


@pytest.fixture(scope="module")
def evidence(opened: Callable[..., VmKeep], image_for_tests: Path) -> Evidence:
    return quoted(opened, image_for_tests)


def test_the_registers_are_the_prediction_and_the_log_explains_them(evidence: Evidence, image_for_tests: Path) -> None:
    claims = judged(evidence)
    assert CHALLENGE == claims.bound
    assert {0, 1, 2, 3, 4, 5, 6, 7, 9} <= claims.boot.replayed
    assert [] == refused(claims, image_for_tests)


def test_the_log_holds_exactly_the_predicted_events(evidence: Evidence, image_for_tests: Path) -> None:
    log = event_log.parse(evidence.parts["event_log"])
    seen = [(one.index, one.name(), one.digests["sha-256"]) for one in log.events if one.index in {4, 9}]
    wanted = [(one.register, one.name, one.digest) for one in expected(image_for_tests)]
    assert sorted(wanted) == sorted(seen)
    assert () == predictions.differences(expected(image_for_tests), seen)


def changed(image: Path, folder: Path, name: str) -> Path:
    """The image with one changed byte, and a manifest that hides it: what a hostile host would start."""
    folder.mkdir()
    for file in image.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    manifest = manifests.parse((folder / MANIFEST).read_bytes())
    line = manifest.command_line.replace("quiet", "quieT")
    body = bytearray((folder / name).read_bytes())
    at = body.index(b"quiet") + 4 if name == CMDLINE else CHANGED[name](body)
    body[at] ^= 0x20
    (folder / name).write_bytes(body)
    table: dict[str, Any] = {
        "parts": {**manifest.parts, name: manifests.describe(bytes(body))},
        "command_line": line if name == CMDLINE else manifest.command_line,
    }
    (folder / MANIFEST).write_bytes(msgspec.structs.replace(manifest, **table).encoded())
    return folder


CHANGED: dict[str, Callable[[bytearray], int]] = {
    # A byte of the kernel's own version text in its setup code, and one of the archive's padding.
    KERNEL: lambda body: body.index(b"6.12."),
    INITRD: lambda body: len(body) - 1,
}


@pytest.mark.parametrize(
    ("name", "register", "of"), [(KERNEL, 4, "kernel"), (CMDLINE, 9, "command line")], ids=["kernel", "command line"]
)
def test_a_changed_byte_is_refused_with_its_register_and_event_named(
    opened: Callable[..., VmKeep], image_for_tests: Path, tmp_path: Path, name: str, register: int, of: str
) -> None:
    evidence = quoted(opened, changed(image_for_tests, tmp_path / "changed", name))
    claims = judged(evidence)
    assert [f"PCR {register}"] == refused(claims, image_for_tests)
    log = event_log.parse(evidence.parts["event_log"])
    seen = [(one.index, one.name(), one.digests["sha-256"]) for one in log.events if one.extends()]
    assert [(register, of)] == [
        (one.register, one.of) for one in predictions.differences(expected(image_for_tests), seen)
    ]


def test_a_changed_initramfs_changes_its_event_and_register(image_for_tests: Path) -> None:
    manifest, parts = folder_store.read(image_for_tests, (KERNEL, INITRD))
    body = parts[INITRD] + b"\0"
    other = predictions.events(kernel=parts[KERNEL], initrd=body, command_line=manifest.command_line)
    found = predictions.differences(expected(image_for_tests), [(one.register, one.name, one.digest) for one in other])
    assert [(9, "initramfs")] == [(one.register, one.of) for one in found]


def test_a_prediction_of_something_that_is_no_kernel_is_malformed() -> None:
    from enarx.errors import Malformed

    with pytest.raises(Malformed) as caught:
        predictions.events(kernel=b"MZ" + bytes(100), initrd=b"", command_line="")
    assert Reason.UNKNOWN_KIND == caught.value.reason
