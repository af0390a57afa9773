# SPDX-License-Identifier: Apache-2.0
"""Moving the pins of the image's lock file to what the suites offer today."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from enarx.platform.image import pip_client
from enarx.platform.image.apt_client import Apt
from enarx.platform.image.lock import Deb, Lock, Source, Use, Wheel
from enarx.platform.image.store import Store

EDK2 = "edk2"
KERNEL_META = "linux-image-cloud-amd64"


def moved(lock: Lock, store: Store, *, wheels: Mapping[str, str]) -> Lock:
    """The lock with today's Debian packages, and the wheels at the versions given by name."""
    apt = Apt(store.folder / "apt", {entry.suite for entry in lock.debs})
    apt.update()
    debs = tuple(_moved(entry, apt) for entry in lock.debs)
    return Lock(debs=debs, wheels=_wheels(wheels), sources=_sources(lock.one(Use.FIRMWARE).suite, store))


def _sources(suite: str, store: Store) -> tuple[Source, ...]:
    """edk2 in the suite that the firmware's package is from."""
    apt = Apt(store.folder / "apt-source", {suite}, sources=True)
    apt.update()
    return tuple(
        Source(name=name, package=EDK2, version=version, suite=suite, sha256=digest, size=size)
        for name, version, digest, size in apt.source_archives(EDK2, suite)
    )


def _moved(entry: Deb, apt: Apt) -> Deb:
    name = apt.kernel(KERNEL_META, entry.suite) if entry.use is Use.KERNEL else entry.name
    offer = apt.offer(name, entry.suite)
    return Deb(name=name, version=offer.version, suite=entry.suite, use=entry.use, sha256=offer.sha256, size=offer.size)


def _wheels(pins: Mapping[str, str]) -> tuple[Wheel, ...]:
    with tempfile.TemporaryDirectory() as folder:
        found = pip_client.newest(dict(pins), Path(folder))
        bodies = {_canonical(path.name.split("-")[0]): path.read_bytes() for path in found}
    return tuple(
        Wheel(name=name, version=version, sha256=hashlib.sha256(body).hexdigest(), size=len(body))
        for name, version in sorted(pins.items())
        for body in [bodies[_canonical(name)]]
    )


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(requirements: str, names: frozenset[str]) -> dict[str, str]:
    """The versions of some distributions in a pip requirements file."""
    rows = re.findall(r"^([a-zA-Z0-9._-]+)==([^\s;\\]+)", requirements, re.MULTILINE)
    return {name: version for name, version in rows if name in names}
