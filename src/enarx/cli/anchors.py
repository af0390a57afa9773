# SPDX-License-Identifier: Apache-2.0
"""`--anchors DIR --unsafe-anchors`: another anchor set than the vendors' own, asked for twice."""

from __future__ import annotations

from pathlib import Path

from enarx.cli.files import read
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import Anchors, unsafe_set
from enarx.evidence.production import production


def anchors(where: Path | None, *, unsafe: bool) -> Anchors:
    """The production set, or the one in the folder `where` (`amd.pem`, `intel.pem`, …)."""
    if where is None:
        if unsafe:
            raise Misused(Reason.USAGE, "--unsafe-anchors without --anchors", hint="--anchors DIR names the roots")
        return production()
    if not unsafe:
        raise Misused(
            Reason.USAGE, "--anchors replaces the vendors' roots", hint="type --unsafe-anchors too if that is wanted"
        )
    files = sorted(where.glob("*.pem")) if where.is_dir() else [where]
    return unsafe_set({path.name: read(path, limit=1 << 20) for path in files})
