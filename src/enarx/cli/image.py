# SPDX-License-Identifier: Apache-2.0
"""`enarx image`: build the Keep image, move its pins, and say what each platform will measure."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from enarx.errors import Misused, Reason
from enarx.platform.image import folder_store
from enarx.platform.image import update as updates
from enarx.platform.image.build import INITRD
from enarx.platform.image.build import build as build_image
from enarx.platform.image.lock import difference, render
from enarx.platform.image.store import Store, default_folder, replace

Cache = Annotated[Path | None, typer.Option(help="Folder of fetched packages.", show_default="~/.cache/enarx/image")]
LockFile = Annotated[Path | None, typer.Option("--lock", help="Lock file.", show_default="requirements/image.lock")]

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
) -> None:
    """Build the Keep image: kernel, initramfs, command line, manifest, bill of materials."""
    pins = folder_store.read_lock(lock or folder_store.default_lock())
    store = Store(cache or default_folder())
    fetched = folder_store.fetch(pins, store, say=_say)
    image = build_image(pins, folder_store.own_sources(), fetched=fetched, store=store, version=version("enarx"))
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
