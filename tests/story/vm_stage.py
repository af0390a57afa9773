"""A stage whose Keeps are virtual machines, and the image that they boot."""

from __future__ import annotations

from pathlib import Path

from enarx.cli.demo.stage import Stage
from enarx.platform.image import folder_store
from enarx.platform.image.build import build
from enarx.platform.image.store import Store, default_folder


class VmStage(Stage):
    """A stage whose Keeps find the image."""

    image = Path()

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "ENARX_IMAGE": str(self.image)}


def built(folder: Path) -> Path:
    """The image of these sources."""
    lock, store = folder_store.read_lock(folder_store.default_lock()), Store(default_folder())
    fetched = folder_store.fetch(lock, store, say=print)
    folder_store.write(build(lock, folder_store.own_sources(), fetched=fetched, store=store, version="0"), folder)
    return folder
