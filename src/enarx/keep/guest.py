# SPDX-License-Identifier: Apache-2.0
"""The guest of a Keep: started with what the launch document and the manifest give it, and waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from enarx.errors import Faulty, Reason
from enarx.runtime import process as runtime
from enarx.runtime.network import Resolve
from enarx.runtime.process import Attest, Guest
from enarx.runtime.sealed.mount import Mount
from enarx.runtime.store import CodeStore
from enarx.runtime.workload import Exit, Identity, Stdio, Workload
from enarx.workload.launch import Launch
from enarx.workload.manifest import Limits, Manifest
from enarx.workload.package import Package

LOOK_EVERY = 0.2
"""Seconds between two looks at whether the Keep shall stop."""


def started(
    package: Package,
    manifest: Manifest,
    launch: Launch,
    *,
    stdio: Mapping[str, int],
    store: CodeStore | None,
    secrets: Mapping[str, bytes],
    identity: Identity | None,
    attest: Attest | None = None,
    mount: Mount | None = None,
    waiting: Guest | None = None,
    resolve: Resolve | None = None,
) -> Guest:
    """A guest that runs. It gets those of the host's streams that the launch document says are the host's.

    waiting  a guest's process that was made while the Keep still waited for its package
    """
    granted = {
        name: stdio.get(name) if launch.stdio.get(name) == "host" else None for name in ("stdin", "stdout", "stderr")
    }
    workload = Workload(
        package.module,
        manifest,
        package.files(),
        args=launch.args,
        env=launch.env,
        caps=Limits(**launch.limits),
        secrets=secrets,
        resolve=resolve,
    )
    return runtime.start(
        workload,
        identity=identity,
        stdio=Stdio(**granted),
        store=store,
        attest=attest,
        mount=mount,
        waiting=waiting,
    )


def awaited(guest: Guest, stop: threading.Event, meanwhile: Callable[[], None] = lambda: None) -> Exit:
    """How it ended, by itself or because the Keep shall stop; `meanwhile` is called again and again."""
    while (ended := guest.wait(LOOK_EVERY)) is None:
        if stop.is_set():
            ended = guest.stop()
            break
        meanwhile()
    if ended is None:
        raise Faulty(Reason.INTERNAL, "the guest's end was not seen")
    return ended
