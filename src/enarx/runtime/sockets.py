# SPDX-License-Identifier: Apache-2.0
"""The sockets of a manifest: TCP goes to the guest as it is, TLS ends in the agent's gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from enarx.runtime.network import Resolve, connected, listening
from enarx.runtime.opening import Opening
from enarx.runtime.workload import Bound, Identity, Workload
from enarx.workload.manifest import Connect, Listen


def open_sockets(
    opening: Opening, workload: Workload, identity: Identity | None, clock: Callable[[], datetime]
) -> None:
    """Replace the placeholders of all listening and connecting files."""
    manifest = workload.manifest
    if manifest.uses_tls or manifest.network.incoming or manifest.network.outgoing:
        _give_doorway(opening, workload, identity, clock)
    for number, file in enumerate(manifest.files):
        match file:
            case Listen(port=port):
                (kind, host), place = _listen(opening, file), str(port)
            case Connect(host=name, port=port):
                kind, host, place = "connection", _connect(opening, file, workload.resolve), f"{name}:{port}"
            case _:
                continue
        opening.add(kind, host, place)
        opening.files[number] = opening.files.pop()


def _give_doorway(
    opening: Opening, workload: Workload, identity: Identity | None, clock: Callable[[], datetime]
) -> None:
    from enarx.runtime import tls
    from enarx.runtime.doorway import Doorway
    from enarx.runtime.gateway import MOST_CONNECTIONS, Gateway

    opening.gateway = gateway = Gateway(workload.bounded().connections or MOST_CONNECTIONS)
    opening.doorway = Doorway(
        gateway, lambda: identity or tls.self_signed(when=clock()), workload.tree, workload.resolve
    )


def _listen(opening: Opening, file: Listen) -> tuple[str, int]:
    if opening.doorway is None:
        plain = listening(file)
        (address, port), kind, host = plain.getsockname()[:2], "listener", plain.detach()
    else:
        kind, end, (address, port) = opening.doorway.listen(file)
        host = end.detach()
    opening.bound.append(Bound(file.name, file.prot, address, port))
    return kind, host


def _connect(opening: Opening, file: Connect, resolve: Resolve | None) -> int:
    end = connected(file, resolve) if opening.doorway is None else opening.doorway.connect(file)
    return end.detach()
