# SPDX-License-Identifier: Apache-2.0
"""The sockets of a manifest: TCP goes to the guest as it is, TLS ends in the agent's gateway."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime

from enarx.errors import Reason, Unauthentic, Undetermined
from enarx.runtime.network import connected, listening
from enarx.runtime.opening import Opening
from enarx.runtime.workload import Bound, Identity, Workload
from enarx.workload.manifest import Connect, Listen


def open_sockets(
    opening: Opening, workload: Workload, identity: Identity | None, clock: Callable[[], datetime]
) -> None:
    """Replace the placeholders of all listening and connecting files."""
    secure = [f for f in workload.manifest.files if isinstance(f, Listen | Connect) and f.prot == "tls"]
    doorway = _Doorway(opening, identity, clock, workload.bounded().connections) if secure else None
    for number, file in enumerate(workload.manifest.files):
        match file:
            case Listen():
                listener = listening(file)
                address, port = listener.getsockname()[:2]
                opening.bound.append(Bound(file.name, file.prot, address, port))
                kind, end = ("listener", listener)
                if file.prot == "tls" and doorway is not None:
                    kind, end = "handover", doorway.listen(listener)
            case Connect():
                kind, end = "connection", connected(file)
                if file.prot == "tls" and doorway is not None:
                    end = doorway.connect(end, file)
            case _:
                continue
        host = end.detach()
        opening.add(kind, host)
        opening.files[number] = opening.files.pop()


class _Doorway:
    """The gateway of a guest, and the contexts that its TLS uses."""

    def __init__(
        self, opening: Opening, identity: Identity | None, clock: Callable[[], datetime], most: int | None
    ) -> None:
        from enarx.runtime import tls
        from enarx.runtime.gateway import MOST_CONNECTIONS, Gateway

        self._identity = identity or tls.self_signed(when=clock())
        self._tls = tls
        self._gateway = Gateway(most or MOST_CONNECTIONS)
        opening.gateway = self._gateway
        self._server = tls.server_context(self._identity)

    def listen(self, listener: socket.socket) -> socket.socket:
        from enarx.runtime.gateway import Entrance

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._gateway.enter(Entrance(listener, ours, self._server))
        return theirs

    def connect(self, peer: socket.socket, file: Connect) -> socket.socket:
        import ssl

        context = self._tls.client_context(self._identity)
        try:
            return self._gateway.connect(context, peer, file.host)
        except ssl.SSLCertVerificationError as error:
            said = f"{file.host}:{file.port} ({file.name}): {error.verify_message}"
            raise Unauthentic(Reason.UNKNOWN_ANCHOR, said) from None
        except ssl.SSLError as error:
            said = f"{file.host}:{file.port} ({file.name}): TLS: {error.reason}"
            raise Undetermined(Reason.UNEXPECTED_ANSWER, said) from None
        except OSError as error:
            said = f"{file.host}:{file.port} ({file.name}): {error.strerror or 'timed out'}"
            raise Undetermined(Reason.UNREACHABLE, said) from None
