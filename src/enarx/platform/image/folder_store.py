# SPDX-License-Identifier: Apache-2.0
"""Images on disk: the lock file, Enarx's own sources, fetching what is missing, writing the folder."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import enarx
from enarx.errors import Malformed, Misused, Reason, Undetermined
from enarx.platform.image import lock as locks
from enarx.platform.image import manifest as manifests
from enarx.platform.image import pip_client
from enarx.platform.image.apt_client import Apt
from enarx.platform.image.build import MANIFEST, Image
from enarx.platform.image.lock import Deb, Entry, Lock, Source, Wheel
from enarx.platform.image.store import Store, replace

Say = Callable[[str], None]


def default_lock() -> Path:
    """The lock file of this checkout."""
    return Path(enarx.__file__).resolve().parents[2] / "requirements" / "image.lock"


def read_lock(path: Path) -> Lock:
    """The lock file at a path."""
    try:
        return locks.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Malformed(Reason.SYNTAX, f"{path}: not UTF-8") from None


def own_sources() -> dict[str, bytes]:
    """Enarx itself, by path below the library folder. The command line's verbs have no place in a Keep."""
    root = Path(enarx.__file__).resolve().parent
    paths = (path for path in root.rglob("*.py") if path.relative_to(root).parts[0] != "cli")
    return {f"enarx/{path.relative_to(root).as_posix()}": path.read_bytes() for path in sorted(paths)}


def fetch(lock: Lock, store: Store, *, say: Say) -> Callable[[Entry], bytes]:
    """Have every package of the lock in the cache; returns how to get its bytes."""
    missing = [entry for entry in lock.entries() if store.blob(entry.sha256) is None]
    if missing:
        say(f"fetching {len(missing)} packages")
        with tempfile.TemporaryDirectory(dir=store.folder) as folder:
            _fetch_debs([entry for entry in missing if isinstance(entry, Deb)], lock, store, Path(folder))
            pip_client.download([entry for entry in missing if isinstance(entry, Wheel)], Path(folder))
            _take(missing, store, Path(folder))

    def fetched(entry: Entry) -> bytes:
        raw = store.blob(entry.sha256)
        if raw is None:
            raise Undetermined(Reason.NOT_FOUND, entry.label)
        return raw

    return fetched


def fetch_sources(lock: Lock, store: Store, *, say: Say) -> list[Path]:
    """The paths, in the cache, of the source archives that the firmware is built from."""
    missing = [entry for entry in lock.sources if store.blob(entry.sha256) is None]
    if missing:
        say(f"fetching {len(missing)} source archives")
        apt = Apt(store.folder / "apt-source", {entry.suite for entry in missing}, sources=True)
        apt.update()
        with tempfile.TemporaryDirectory(dir=store.folder) as folder:
            for package, version in {(entry.package, entry.version) for entry in missing}:
                apt.download_source(package, version, Path(folder))
            _take(missing, store, Path(folder))
    return [store.folder / "blob" / entry.sha256 for entry in sorted(lock.sources, key=_debian_last)]


def _debian_last(entry: Source) -> bool:
    return ".debian.tar" in entry.name


def _fetch_debs(wanted: list[Deb], lock: Lock, store: Store, into: Path) -> None:
    if not wanted:
        return
    apt = Apt(store.folder / "apt", {entry.suite for entry in lock.debs})
    pairs = [(entry.name, entry.version) for entry in wanted]
    try:
        apt.download(pairs, into)
    except Undetermined:
        apt.update()
        apt.download(pairs, into)


def _take(wanted: Iterable[Entry], store: Store, folder: Path) -> None:
    bodies = {hashlib.sha256(body).hexdigest(): body for body in (path.read_bytes() for path in folder.iterdir())}
    for entry in wanted:
        body = bodies.get(entry.sha256)
        if body is None or len(body) != entry.size:
            raise Undetermined(
                Reason.DIGEST_MISMATCH,
                f"{entry.label}: what was served under that name has other bytes than the image lock says",
                hint="`enarx image update` shows what moved",
            )
        store.keep(body)


def write(image: Image, folder: Path) -> None:
    """Put an image's files into a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{folder}: {error.strerror}") from None
    for name, body in image.files.items():
        replace(folder / name, body)


def read(folder: Path, names: Iterable[str]) -> tuple[manifests.Manifest, Mapping[str, bytes]]:
    """An image's manifest, and those of its parts that were asked for, every digest checked."""
    try:
        manifest = manifests.parse((folder / MANIFEST).read_bytes())
        parts = {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise Misused(Reason.FILE_UNREADABLE, f"image {folder}: {error.strerror}", hint="enarx image build") from None
    for name, body in parts.items():
        if name not in manifest.parts or manifests.describe(body) != manifest.parts[name]:
            raise Malformed(Reason.DIGEST_MISMATCH, f"image: {name} is not what its manifest says")
    return manifest, parts
