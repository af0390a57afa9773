# SPDX-License-Identifier: Apache-2.0
"""`enarx run --sealed`: a sealed volume for development, under a root that lies in a file of this machine."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from enarx.cli.files import read, write
from enarx.codec import cbor
from enarx.errors import EnarxError, Misused, Reason
from enarx.platform.objects_store import FolderObjects
from enarx.runtime.sealed.cipher import KEY_SIZE, Scope
from enarx.runtime.sealed.mount import Mount
from enarx.runtime.sealed.volume import Unheld
from enarx.workload.manifest import Manifest


def mounted(folder: str | None, root: str | None, manifest: Manifest) -> Mount:
    """The volume in `folder`. Nobody holds its version, so the manifest must say that this is good enough."""
    if folder is None or root is None:
        raise Misused(Reason.USAGE, "--sealed and --sealed-root go together", hint="enarx run --help")
    if manifest.sealed is None:
        hint = "write [sealed] into Enarx.toml, and give --wasmcfgfile"
        raise Misused(Reason.NOT_GRANTED, "--sealed: the manifest asks for no /sealed", hint=hint)
    # There is no launch and no tenant here: the scope says so, and no Keep derives these keys.
    scope = Scope(manifest.sealed.bind, cbor.encode({"run": True}))
    mount = Mount(
        manifest.sealed,
        FolderObjects(Path(folder)),
        Unheld(_root(Path(root))),
        scope,
        storage=manifest.limits.sealed,
        report=_tell,
    )
    print(f"enarx: /sealed: under {root}, which this machine can read; rollback: {mount.rollback}", file=sys.stderr)
    return mount


def _root(path: Path) -> bytes:
    if not path.exists():
        write(path, secrets.token_bytes(KEY_SIZE), mode=0o600)
    raw = read(path, limit=KEY_SIZE + 1)
    if len(raw) != KEY_SIZE:
        raise Misused(Reason.WRONG_LENGTH, f"{path}: {len(raw)} bytes, a sealing root has {KEY_SIZE}")
    return raw


def _tell(error: EnarxError) -> None:
    print(f"enarx: /sealed: {error.reason}: {error.subject}", file=sys.stderr)
