"""A stage whose Keeps are virtual machines, and the image that they boot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from enarx.cli.demo.stage import DeployedKeep, Stage
from enarx.platform.image import folder_store
from enarx.platform.image.build import build
from enarx.platform.image.store import Store, default_folder


class VmStage(Stage):
    """A stage whose Keeps find the image."""

    image = Path()

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "ENARX_IMAGE": str(self.image)}


def listed(stage: Stage, keep: DeployedKeep) -> dict[str, Any]:
    """What `enarx keep list` says of a Keep; others of this user may be open."""
    addresses = {event["address"] for event in keep.events() if "address" in event}
    (seen,) = (one for one in json.loads(stage.enarx("keep", "list", "--json").stdout) if one["address"] in addresses)
    return dict(seen)


def built(folder: Path) -> Path:
    """The image of these sources."""
    lock, store = folder_store.read_lock(folder_store.default_lock()), Store(default_folder())
    fetched = folder_store.fetch(lock, store, say=print)
    folder_store.write(build(lock, folder_store.own_sources(), fetched=fetched, store=store, version="0"), folder)
    return folder
