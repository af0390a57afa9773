# SPDX-License-Identifier: Apache-2.0
"""`enarx image`: build the Keep image and its firmware, and move its pins."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.files import read
from enarx.codec.digest import sha256
from enarx.errors import Misused, Reason
from enarx.platform.image import firmware_process, folder_store
from enarx.platform.image import update as updates
from enarx.platform.image.build import INITRD
from enarx.platform.image.build import build as build_image
from enarx.platform.image.lock import difference, render
from enarx.platform.image.store import Store, default_folder, replace

Cache = Annotated[Path | None, typer.Option(help="Folder of fetched packages.", show_default="~/.cache/enarx/image")]
LockFile = Annotated[Path | None, typer.Option("--lock", help="Lock file.", show_default="requirements/image.lock")]

MAX_FIRMWARE = 64 << 20
WHEELS = frozenset(
    [
        "anyio",
        "cbor2",
        "certifi",
        "cffi",
        "cryptography",
        "h11",
        "httpcore",
        "httpx",
        "idna",
        "msgspec",
        "pyopenssl",
        "typing-extensions",
        "wasmtime",
    ]
)
"""What the agent imports; the versions are those of `requirements/run.lock`."""


def _say(line: str) -> None:
    print(f"enarx: {line}", file=sys.stderr)


def build(
    output: Annotated[Path, typer.Option(help="Folder for the image.")] = Path("image"),
    lock: LockFile = None,
    cache: Cache = None,
    tee_firmware: Annotated[Path | None, typer.Option(help="What `enarx image firmware` built.")] = None,
) -> None:
    """Build the Keep image: kernel, initramfs, command line, manifest, bill of materials."""
    pins = folder_store.read_lock(lock or folder_store.default_lock())
    store = Store(cache or default_folder())
    fetched = folder_store.fetch(pins, store, say=_say)
    firmware_body = read(tee_firmware, limit=MAX_FIRMWARE) if tee_firmware else None
    image = build_image(
        pins,
        folder_store.own_sources(),
        fetched=fetched,
        store=store,
        version=version("enarx"),
        tee_firmware=firmware_body,
    )
    folder_store.write(image, output)
    for name, part in image.manifest.parts.items():
        print(f"{part.sha256}  {part.size:>10}  {output / name}")
    _say(f"{len(image.manifest.files)} files in {image.manifest.parts[INITRD].size / 1e6:.1f} MB")


def update(
    lock: LockFile = None,
    cache: Cache = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would move, and change nothing.")] = False,
) -> None:
    """Move the image's pins to what Debian offers today, and to the wheels of requirements/run.lock."""
    path = lock or folder_store.default_lock()
    old = folder_store.read_lock(path)
    pins = path.parent / "run.lock"
    if not pins.exists():
        raise Misused(Reason.FILE_UNREADABLE, f"{pins}: the versions of the wheels")
    wheels = updates.pinned(pins.read_text(encoding="utf-8"), WHEELS)
    new = updates.moved(old, Store(cache or default_folder()), wheels=wheels)
    lines = difference(old, new)
    for line in lines:
        print(line)
    if lines and not dry_run:
        replace(path, render(new).encode())
    _say(f"{len(lines)} pins {'would move' if dry_run else 'moved'}")


def firmware(
    output: Annotated[Path, typer.Option(help="File for the firmware.")] = Path("OVMF.tee.fd"),
    lock: LockFile = None,
    cache: Cache = None,
) -> None:
    """Build the firmware that SEV-SNP needs, from Debian's edk2 source: minutes."""
    pins = folder_store.read_lock(lock or folder_store.default_lock())
    paths = folder_store.fetch_sources(pins, Store(cache or default_folder()), say=_say)
    if len(paths) != 2:
        raise Misused(Reason.MISSING, "image lock: two source archives of edk2", hint="enarx image update")
    body = firmware_process.build(*paths, say=_say, jobs=os.cpu_count() or 1)
    replace(output, body)
    print(f"{sha256(body).hex()}  {len(body):>10}  {output}")
