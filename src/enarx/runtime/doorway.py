# SPDX-License-Identifier: Apache-2.0
"""Where TLS of a guest begins and ends: its gateway, its contexts, and sockets asked for while it runs."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable

from enarx.errors import EnarxError, Reason, Unauthentic, Undetermined
from enarx.runtime import tls
from enarx.runtime.gateway import IN, Entrance, Gateway
from enarx.runtime.network import connected, listening
from enarx.runtime.relay import Relay
from enarx.runtime.workload import Identity
from enarx.workload.manifest import Connect, Listen

Answer = Callable[[str, socket.socket | None, int], None]
"""Called in the loop's thread with the kind of socket and the guest's end, or with an error number."""
MOST_PENDING = 64
REFUSED = {
    Reason.NAME_NOT_RESOLVED: errno.ENOENT,
    Reason.UNREACHABLE: errno.ECONNREFUSED,
    Reason.PORT_IN_USE: errno.EADDRINUSE,
    Reason.UNKNOWN_ANCHOR: errno.EACCES,
}


class Doorway:
    """The agent's side of every TLS socket of one guest."""

    def __init__(self, gateway: Gateway, identity: Callable[[], Identity]) -> None:
        self._gateway = gateway
        self._make = identity
        self._known: Identity | None = None
        self._done: deque[Callable[[], None]] = deque()
        self._bell, self._ring = socket.socketpair()
        self._pending = 0
        self._gateway.watch(self._bell.fileno(), IN, lambda _: self._finish())

    def _identity(self) -> Identity:
        if self._known is None:
            self._known = self._make()
        return self._known

    def listen(self, file: Listen) -> tuple[str, socket.socket, tuple[str, int]]:
        """A listener: what kind it is for the guest, its end, and the address that was bound."""
        listener = listening(file)
        address, port = listener.getsockname()[:2]
        if file.prot == "tcp":
            return "listener", listener, (address, port)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._gateway.enter(Entrance(listener, ours, tls.server_context(self._identity())))
        return "handover", theirs, (address, port)

    def connect(self, file: Connect) -> socket.socket:
        """The guest's end of a connection, its handshake done; waits for both."""
        if file.prot == "tcp":
            return connected(file)
        relay, theirs = shaken(file, self._identity())
        self._gateway.adopt(relay)
        return theirs

    def ask_listen(self, file: Listen, answer: Answer) -> None:
        """Listen for a guest that runs."""
        try:
            kind, end, _ = self.listen(file)
        except EnarxError as error:
            answer("", None, REFUSED.get(error.reason, errno.EACCES))
        else:
            answer(kind, end, 0)

    def ask_connect(self, file: Connect, answer: Answer) -> None:
        """Connect for a guest that runs, in a thread: names and handshakes may take their time."""
        if self._pending >= MOST_PENDING:
            answer("", None, errno.EAGAIN)
            return
        self._pending += 1
        threading.Thread(target=self._connect, args=(file, self._identity(), answer), daemon=True).start()

    def _connect(self, file: Connect, identity: Identity, answer: Answer) -> None:
        try:
            if file.prot == "tcp":
                relay, end = None, connected(file)
            else:
                relay, end = shaken(file, identity)
        except EnarxError as error:
            number = REFUSED.get(error.reason, errno.ECONNABORTED)
            self._done.append(lambda: answer("", None, number))
        else:
            self._done.append(lambda: self._opened(relay, end, answer))
        self._ring.send(b"\1")

    def _opened(self, relay: Relay | None, end: socket.socket, answer: Answer) -> None:
        if relay is not None:
            self._gateway.adopt(relay)
        answer("connection", end, 0)

    def _finish(self) -> None:
        self._bell.recv(MOST_PENDING)
        while self._done:
            self._pending -= 1
            self._done.popleft()()


def shaken(file: Connect, identity: Identity) -> tuple[Relay, socket.socket]:
    """A relay whose handshake is done, and the guest's end of it."""
    where = f"{file.host}:{file.port} ({file.name})"
    peer = connected(file)
    peer.settimeout(tls.HANDSHAKE_SECONDS)
    ours, theirs = socket.socketpair()
    relay = Relay(tls.client_context(identity), peer, ours, server=False, hostname=file.host)
    try:
        relay.shake_blocking()
    except ssl.SSLCertVerificationError as error:
        refusal: EnarxError = Unauthentic(Reason.UNKNOWN_ANCHOR, f"{where}: {error.verify_message}")
    except ssl.SSLError as error:
        refusal = Undetermined(Reason.UNEXPECTED_ANSWER, f"{where}: TLS: {error.reason}")
    except OSError as error:
        refusal = Undetermined(Reason.UNREACHABLE, f"{where}: {error.strerror or 'timed out'}")
    else:
        return relay, theirs
    theirs.close()
    relay.close()
    raise refusal from None
