# SPDX-License-Identifier: Apache-2.0
"""A Keep that runs a module of whoever opens it: identified to nobody, entrusted with nothing.

Its launch document says so in its source, `local:module`. No Steward certifies it, no tenant
releases secrets to it, and its listening sockets have a certificate that says nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping

from enarx.errors import Misused, Reason
from enarx.keep import guest, naming, steering
from enarx.keep.link import Link, Opening
from enarx.keep.story import State
from enarx.runtime.process import Guest
from enarx.runtime.store import CodeStore
from enarx.runtime.workload import Exit
from enarx.workload import launch as launch_document
from enarx.workload import manifest as manifests
from enarx.workload.launch import Launch
from enarx.workload.package import receive

SOURCE = "local:module"
_ENTRUSTING = ("steward", "secrets", "signature")


def asked_for(launch: Launch) -> bool:
    """Whether the launch document says that the module is the launcher's own."""
    return launch.source == SOURCE


class LocalAgent:
    """One such Keep."""

    def __init__(self, opening: Opening, link: Link, stdio: Mapping[str, int], store: CodeStore | None) -> None:
        self._cas = opening.cas
        self._link = link
        self._stdio = stdio
        self._store = store
        self.launch = launch_document.parse(opening.launch)
        self.stop = threading.Event()

    def run(self) -> Exit:
        """The whole story; how the guest ended."""
        signal.signal(signal.SIGTERM, lambda *_: self.stop.set())
        waiting = Guest()
        if entrusted := [name for name in _ENTRUSTING if getattr(self.launch, name)]:
            raise Misused(Reason.INCONSISTENT, f"launch document: {entrusted[0]} with {SOURCE}")
        package = receive(self._link.node, self.launch.package)
        manifest = manifests.parse(package.manifest)
        steering.require_input(manifest, self.launch)
        if manifest.sealed is not None:
            raise Misused(Reason.NOT_GRANTED, "[sealed] in a Keep that nobody identifies", hint="enarx deploy")
        self._reached(State.DELIVERED)
        naming.tell(self._link.report, manifest, self.launch)
        running = guest.started(
            package,
            manifest,
            self.launch,
            stdio=self._stdio,
            store=self._store,
            secrets={},
            identity=None,
            waiting=waiting,
            resolve=naming.chosen(self.launch, self._cas),
        )
        for one in running.bound:
            self._link.report("listening", name=one.name, prot=one.prot, address=f"{one.address}:{one.port}")
        self._link.watch(self.stop)
        self._reached(State.RUNNING)
        return guest.awaited(running, self.stop)

    def _reached(self, state: State) -> None:
        self._link.report("state", state=str(state))
