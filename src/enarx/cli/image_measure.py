# SPDX-License-Identifier: Apache-2.0
"""`enarx image measure`: what each platform will measure for an image, printed or as signed reference values."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.files import read, write
from enarx.errors import Misused, Reason
from enarx.evidence import event_log
from enarx.measurement.image import Inputs, Measured, measured
from enarx.platform.image import folder_store
from enarx.platform.image.build import FIRMWARE, INITRD, KERNEL, TEE_FIRMWARE
from enarx.platform.vm.plan import DEFAULT_MEMORY_MB
from enarx.workload import launch as launch_document

MODELS = ("EPYC-v4", "EPYC-Milan-v2", "EPYC-Genoa-v1")
RTMR0_INDEX = 1
"""Of an event in a TDX guest's log (UEFI 2.10, section 38.4.1)."""
MAX_FILE = 16 << 20
MOST_DAYS = 3650


def measure(
    image: Annotated[Path, typer.Option(help="Folder of the image.")] = Path("image"),
    cpu: Annotated[list[str] | None, typer.Option(help="Processor model of an SNP machine; repeatable.")] = None,
    cpus: Annotated[list[int] | None, typer.Option(help="Number of processors; repeatable.", min=1, max=512)] = None,
    memory: Annotated[int, typer.Option(help="Megabytes of a TDX guest.", min=64)] = DEFAULT_MEMORY_MB,
    launch: Annotated[
        Path | None, typer.Option(help="Launch document whose digest the agent extends: PCR 11 and RTMR 3 too.")
    ] = None,
    ccel: Annotated[
        Path | None, typer.Option(help="Event log of a reference boot under TDX, which completes RTMR 0.")
    ] = None,
    corim: Annotated[Path | None, typer.Option(help="Write the values here, signed (CoRIM).")] = None,
    amd_profile: Annotated[
        bool, typer.Option("--amd-profile", help="Write the SNP digests alone, in AMD's CoRIM profile.")
    ] = False,
    signing_key: Annotated[Path | None, typer.Option(help="PEM of the P-256 or P-384 key that signs them.")] = None,
    name: Annotated[str, typer.Option(help="Name under which later versions supersede this one.")] = "enarx-keep-image",
    security_version: Annotated[
        int | None, typer.Option(help="Of the image; verifiers take the newest that they know.", min=0)
    ] = None,
    days: Annotated[int, typer.Option(help="Days after which the values expire.", min=1, max=MOST_DAYS)] = 90,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what each platform will measure for an image, from its files alone."""
    found = measured(_inputs(image, cpu, cpus, memory=memory, launch=launch, ccel=ccel))
    if corim is not None:
        if signing_key is None or security_version is None:
            raise Misused(Reason.USAGE, "--corim needs --signing-key and --security-version")
        from enarx.cli.image_corim import signed

        now = datetime.now(UTC)  # noqa: TID251 - the door
        until = now + timedelta(days=days)
        manifest = signed(
            found, signing_key, name=name, version=security_version, when=now, until=until, amd=amd_profile
        )
        write(corim, manifest)
    _tell(found)
    rows = table(found)
    if as_json:
        print(json.dumps(rows))
        return
    for section, listed in rows.items():
        for row in listed:
            print(section, *row.values())


def _inputs(
    folder: Path,
    models: list[str] | None,
    counts: list[int] | None,
    *,
    memory: int,
    launch: Path | None,
    ccel: Path | None,
) -> Inputs:
    manifest, parts = folder_store.read(folder, (KERNEL, INITRD, FIRMWARE))
    tee = folder_store.read(folder, (TEE_FIRMWARE,))[1][TEE_FIRMWARE] if TEE_FIRMWARE in manifest.parts else None
    log = None if ccel is None else event_log.parse(read(ccel, limit=MAX_FILE))
    if log is not None and "sha-384" not in log.algorithms:
        raise Misused(Reason.ALGORITHM, f"{ccel}: a log without SHA-384 is not of a TDX guest")
    return Inputs(
        kernel=parts[KERNEL],
        initrd=parts[INITRD],
        command_line=manifest.command_line,
        firmware=parts[FIRMWARE],
        tee_firmware=tee,
        models=tuple(models or MODELS),
        counts=tuple(counts or (1,)),
        memory=memory << 20,
        launch=None if launch is None else launch_document.parse(read(launch, limit=MAX_FILE)).digest(),
        log=None
        if log is None
        else [
            (one.name(), one.digests["sha-384"])
            for one in log.events
            if one.index == RTMR0_INDEX and one.extends() and "sha-384" in one.digests
        ],
    )


def _tell(found: Measured) -> None:
    """What is not predicted, and why."""
    if unknown := found.unknown():
        _say(f"RTMR 0 depends on {', '.join(unknown)}: give the log of a reference boot (--ccel)")
    if not found.snp:
        _say("no SNP digest: the image has no firmware for it (enarx image firmware; enarx image build --tee-firmware)")


def _say(line: str) -> None:
    print(f"enarx: {line}", file=sys.stderr)


def table(found: Measured) -> dict[str, list[dict[str, str]]]:
    """The predictions as rows of text, by section."""
    return {
        "tpm": [{"pcr": f"PCR {number}", "sha256": value.hex()} for number, value in found.pcrs.items()],
        "event": [
            {"pcr": f"PCR {one.register}", "type": one.name, "sha256": one.digest.hex(), "of": one.of}
            for one in found.events
        ],
        "tdx": [{"register": "MRTD", "sha384": found.mrtd.hex()}]
        + [{"register": f"RTMR {number}", "sha384": value.hex()} for number, value in sorted(found.rtmrs.items())],
        "rtmr0": [
            {"type": one.name, "sha384": "not predicted" if one.digest is None else one.digest.hex(), "of": one.of}
            for one in found.rtmr0
        ],
        "snp": [{"cpu": one.cpu, "cpus": str(one.cpus), "sha384": one.digest.hex()} for one in found.snp],
    }
