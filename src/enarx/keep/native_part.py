# SPDX-License-Identifier: Apache-2.0
"""Services of ours that a Keep can run in place of a guest, because they are a part of its image.

A launch document names one as its source, `image:steward`, and its digest as the package. The
image is measured whole; the digest says which service of it the tenant opened the Keep for, in
the same words in which a policy lists packages.
"""

from __future__ import annotations

from pathlib import Path

import enarx
from enarx.codec import cbor
from enarx.codec.digest import same, sha256
from enarx.errors import Misused, Reason, Unacceptable
from enarx.workload.launch import Launch

PREFIX = "image:"
STEWARD = "image:steward"
PARTS = (STEWARD,)
_LABEL = b"enarx-image-part-1\0"
_STEERING = ("steward", "args", "env", "stdio", "resolver", "limits", "secrets")


def part_digest(source: str) -> bytes:
    """The digest of a part as it is installed here, 32 bytes; `Misused` for a name that is none.

    SHA-256 over the label and deterministic CBOR of the part's name and of all files of this
    program: relative path -> SHA-256. All parts come from one tree; the name tells them apart.
    """
    if source not in PARTS:
        raise Misused(Reason.UNKNOWN_VALUE, f"part of the image {source!r}", hint=", ".join(PARTS))
    top = Path(enarx.__file__).parent
    files = {str(path.relative_to(top)): sha256(path.read_bytes()) for path in top.rglob("*.py")}
    return sha256(_LABEL + cbor.encode({"part": source, "files": files}))


def asked_for(launch: Launch) -> bool:
    """Whether the launch document names a part of the image."""
    return launch.source is not None and launch.source.startswith(PREFIX)


def require_part(launch: Launch) -> None:
    """This image's part is the one that the document names, and nothing in the document steers it.

    A part has no manifest that could bound what a launch adds; its settings come sealed, from
    the tenant, with its secrets.
    """
    if not same(launch.package, part_digest(launch.source or "")):
        raise Unacceptable(
            Reason.WORKLOAD_MISMATCH, f"{launch.source}: this image has another", hint="make a new launch document"
        )
    steering = [name for name in _STEERING if getattr(launch, name) not in (None, (), {})]
    if steering:
        raise Unacceptable(Reason.LAUNCH_MISMATCH, f"{launch.source} with {', '.join(steering)} in the launch document")
