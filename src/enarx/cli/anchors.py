# SPDX-License-Identifier: Apache-2.0
"""`--anchors DIR --unsafe-anchors`: another anchor set than the vendors' own, asked for twice."""

from __future__ import annotations

from pathlib import Path

import msgspec

from enarx.cli.files import read
from enarx.cli.vectors.named_key import named_keys
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import Anchors, unsafe_set
from enarx.evidence.production import production

MAX_KEYS = 8 << 20


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


def with_key(believed: Anchors, path: Path | None) -> Anchors:
    """The set with the keys in a file that the caller trusts by name; its name says so."""
    if path is None:
        return believed
    return msgspec.structs.replace(believed, name="named key", keys=named_keys(read(path, limit=MAX_KEYS), str(path)))
