# SPDX-License-Identifier: Apache-2.0
"""Where TLS of a guest begins and ends: its gateway, its contexts, and sockets asked for while it runs."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping

from enarx.errors import EnarxError, Misused, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.runtime import tls
from enarx.runtime.gateway import IN, Entrance, Gateway
from enarx.runtime.network import Resolve, connected, listening
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
    Reason.UNKNOWN_ANCHOR: errno.EKEYREJECTED,
    Reason.WORKLOAD_MISMATCH: errno.EACCES,
}


class Doorway:
    """The agent's side of every TLS socket of one guest."""

    def __init__(
        self,
        gateway: Gateway,
        identity: Callable[[], Identity],
        tree: Mapping[str, bytes],
        resolve: Resolve | None = None,
    ) -> None:
        self._tree = tree
        self._resolve = resolve
        self._listening: dict[Entrance, Listen] = {}
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
        entrance = Entrance(listener, ours, self._server(file), file.trust.workloads)
        self._listening[entrance] = file
        self._gateway.enter(entrance)
        return "handover", theirs, (address, port)

    def _server(self, file: Listen) -> ssl.SSLContext:
        """A listener that names workloads, or requires clients, lets no one in without a certificate."""
        identity, clients = self._identity(), file.trust.clients
        required = clients == "required" or bool(file.trust.workloads)
        asked = required or clients == "optional"
        if asked and not identity.roots_pem:
            said = f"{file.name}: clients are to show certificates, and the Keep has no roots to verify them"
            raise Misused(Reason.UNKNOWN_ANCHOR, said, hint="run it in a Keep that a Steward has certified")
        return tls.server_context(identity, client_roots=identity.roots_pem if asked else b"", require=required)

    def renew(self, identity: Identity) -> None:
        """Be this from now on. Called from any thread; connections that are open are not disturbed."""

        def change() -> None:
            self._known = identity
            self._gateway.renew(lambda entrance: self._server(self._listening[entrance]))

        self._later(change)

    def _later(self, act: Callable[[], None]) -> None:
        """Do something in the loop's thread."""
        self._done.append(act)
        self._ring.send(b"\1")

    def connect(self, file: Connect) -> socket.socket:
        """The guest's end of a connection, its handshake done; waits for both."""
        if file.prot == "tcp":
            return connected(file, self._resolve)
        relay, theirs = shaken(file, self._identity(), self._roots(file), self._resolve)
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
        try:
            arguments = (file, self._identity(), self._roots(file), answer)
        except EnarxError:
            answer("", None, errno.EACCES)
            return
        self._pending += 1
        threading.Thread(target=self._connect, args=arguments, daemon=True).start()

    def _roots(self, file: Connect) -> bytes | None:
        """The file of the package that a connection trusts alone, if it names one."""
        if not file.trust.roots:
            return None
        if file.trust.roots not in self._tree:
            raise Misused(Reason.NODE_MISSING, f"{file.trust.roots}, the roots of {file.name}")
        return self._tree[file.trust.roots]

    def _connect(self, file: Connect, identity: Identity, roots: bytes | None, answer: Answer) -> None:
        try:
            if file.prot == "tcp":
                relay, end = None, connected(file, self._resolve)
            else:
                relay, end = shaken(file, identity, roots, self._resolve)
        except EnarxError as error:
            number = REFUSED.get(error.reason, errno.ECONNABORTED)
            self._later(lambda: self._opened(None, None, answer, number))
        else:
            self._later(lambda: self._opened(relay, end, answer, 0))

    def _opened(self, relay: Relay | None, end: socket.socket | None, answer: Answer, number: int) -> None:
        self._pending -= 1
        if relay is not None:
            self._gateway.adopt(relay)
        answer("connection", end, number)

    def _finish(self) -> None:
        self._bell.recv(MOST_PENDING)
        while self._done:
            self._done.popleft()()


def shaken(
    file: Connect, identity: Identity, roots: bytes | None, resolve: Resolve | None = None
) -> tuple[Relay, socket.socket]:
    """A relay whose handshake is done, and the guest's end of it."""
    workloads = file.trust.workloads
    context = tls.client_context(identity, roots, keep=bool(workloads))
    where = f"{file.host}:{file.port} ({file.name})"
    peer = connected(file, resolve)
    peer.settimeout(tls.HANDSHAKE_SECONDS)
    ours, theirs = socket.socketpair()
    relay = Relay(context, peer, ours, server=False, hostname=file.host)
    try:
        relay.shake_blocking()
    except ssl.SSLCertVerificationError as error:
        refusal: EnarxError = Unauthentic(Reason.UNKNOWN_ANCHOR, f"{where}: {error.verify_message}")
    except ssl.SSLError as error:
        refusal = Undetermined(Reason.UNEXPECTED_ANSWER, f"{where}: TLS: {error.reason}")
    except OSError as error:
        refusal = Undetermined(Reason.UNREACHABLE, f"{where}: {error.strerror or 'timed out'}")
    else:
        if not workloads or relay.runs_one_of(workloads):
            return relay, theirs
        refusal = Unacceptable(Reason.WORKLOAD_MISMATCH, f"{where}: the peer runs none of the workloads listed")
    theirs.close()
    relay.close()
    raise refusal from None
