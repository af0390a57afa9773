# SPDX-License-Identifier: Apache-2.0
"""The agent's loop for TLS: accepts, shakes hands without waiting for anyone, relays.

Everything is non-blocking on one epoll, so a slow handshake holds up no other connection.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

from enarx.runtime.relay import Relay, State
from enarx.runtime.tls import HANDSHAKE_SECONDS

MOST_CONNECTIONS = 4096
IN, OUT, HUP = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR


class Entrance:
    """A TLS listener: where connections come in, and the channel on which the guest gets them.

    workloads  packages that clients must run; empty lets everyone in whom `context` lets in
    """

    def __init__(
        self,
        listener: socket.socket,
        channel: socket.socket,
        context: ssl.SSLContext,
        workloads: tuple[str, ...] = (),
    ) -> None:
        self.workloads = workloads
        self.listener = listener
        self.channel = channel
        self.context = context
        listener.setblocking(False)
        channel.setblocking(False)


class Gateway:
    """All TLS of one guest, on one epoll that the agent's loop shares."""

    def __init__(self, most: int = MOST_CONNECTIONS) -> None:
        self.epoll = select.epoll()
        self._actions: dict[int, Callable[[int], bool | None]] = {}
        self._interest: dict[int, int] = {}
        self._shaking: dict[Relay, tuple[float, Entrance | None, socket.socket | None]] = {}
        self._relays: set[Relay] = set()
        self._entrances: list[Entrance] = []
        self._most = most

    def watch(self, descriptor: int, mask: int, action: Callable[[int], bool | None]) -> None:
        """Call `action` with the events of a descriptor."""
        self._actions[descriptor] = action
        self._interest[descriptor] = mask
        self.epoll.register(descriptor, mask)

    def forget(self, descriptor: int) -> None:
        """Stop watching; must precede closing."""
        if self._actions.pop(descriptor, None):
            del self._interest[descriptor]
            self.epoll.unregister(descriptor)

    def _want(self, descriptor: int, mask: int) -> None:
        if self._interest.get(descriptor, mask) != mask:
            self._interest[descriptor] = mask
            self.epoll.modify(descriptor, mask)

    def turn(self, seconds: float | None) -> None:
        """Wait once, at most so long, and do what has become possible."""
        if self._shaking:
            seconds = 1.0 if seconds is None else min(seconds, 1.0)
        wait, actions = self.epoll.poll, self._actions
        inner = True
        while inner:
            # As long as only relays have work, nobody outside this loop has to be asked.
            inner = seconds is None
            for descriptor, events in wait(seconds):
                action = actions.get(descriptor)
                inner = action is not None and action(events) is True and inner
        if self._shaking:
            self._expire()

    def _expire(self) -> None:
        """Give up handshakes that take too long."""
        now = time.monotonic()
        for relay in [r for r, (until, _, _) in self._shaking.items() if until < now]:
            self._end(relay)

    def renew(self, contexts: Callable[[Entrance], ssl.SSLContext]) -> None:
        """New handshakes use new contexts; connections that are open stay."""
        for entrance in self._entrances:
            entrance.context = contexts(entrance)

    def enter(self, entrance: Entrance) -> None:
        """Begin to accept on a listener."""
        self._entrances.append(entrance)
        self.watch(entrance.listener.fileno(), IN, lambda _: self._accept(entrance))

    def _accept(self, entrance: Entrance) -> None:
        with suppress(BlockingIOError, ConnectionError):
            peer, _ = entrance.listener.accept()
            if len(self._relays) >= self._most:
                peer.close()
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ours, theirs = socket.socketpair()
            relay = Relay(entrance.context, peer, ours, server=True)
            self._add(relay)
            self._shaking[relay] = (time.monotonic() + HANDSHAKE_SECONDS, entrance, theirs)
            self._step(relay)

    def adopt(self, relay: Relay) -> None:
        """Serve a relay whose handshake is done."""
        self._add(relay)
        self._step(relay)

    def _add(self, relay: Relay) -> None:
        self._relays.add(relay)
        peer_ready, guest_ready = relay.peer_ready, relay.guest_ready

        def peer(events: int) -> bool:
            return (events == IN and peer_ready()) or self._step(relay)

        def plain(events: int) -> bool:
            return (events == IN and guest_ready()) or self._plain(relay, events)

        self.watch(relay.peer.fileno(), IN, peer)
        self.watch(relay.plain.fileno(), 0, plain)

    def _plain(self, relay: Relay, events: int) -> bool:
        if events & HUP and not events & IN:
            relay.guest_gone()
            self.forget(relay.plain.fileno())
        return self._step(relay)

    def _step(self, relay: Relay) -> bool:
        """Let a relay do what it can; whether it lives."""
        descriptors = (relay.peer.fileno(), relay.plain.fileno())
        match relay.step():
            case State.CLOSED:
                for descriptor in descriptors:
                    self._drop(descriptor)
                self._ended(relay)
                return False
            case State.OPEN if relay in self._shaking:
                self._hand_over(relay)
            case _:
                pass
        peer_in, peer_out, plain_in, plain_out = relay.interest()
        self._want(descriptors[0], (IN if peer_in else 0) | (OUT if peer_out else 0))
        self._want(descriptors[1], (IN if plain_in else 0) | (OUT if plain_out else 0))
        return True

    def _drop(self, descriptor: int) -> None:
        """Forget a descriptor that is closed already; the kernel has left it out of the epoll."""
        self._actions.pop(descriptor, None)
        self._interest.pop(descriptor, None)

    def _end(self, relay: Relay) -> None:
        descriptors = (relay.peer.fileno(), relay.plain.fileno())
        relay.close()
        for descriptor in descriptors:
            self._drop(descriptor)
        self._ended(relay)

    def _ended(self, relay: Relay) -> None:
        self._relays.discard(relay)
        _, _, theirs = self._shaking.pop(relay, (0.0, None, None))
        if theirs is not None:
            theirs.close()

    def _hand_over(self, relay: Relay) -> None:
        """Give the guest its end; the guest's listener becomes readable."""
        _, entrance, theirs = self._shaking.pop(relay)
        if entrance is None or theirs is None:
            return
        if entrance.workloads and not relay.runs_one_of(entrance.workloads):
            self._end(relay)
            theirs.close()
            return
        try:
            socket.send_fds(entrance.channel, [b"\1"], [theirs.fileno()])
        except OSError:
            # The guest has closed its listener, or accepts nothing while hundreds wait.
            self._end(relay)
        theirs.close()

    def drain(self, seconds: float) -> None:
        """The guest has gone: let what it wrote reach its peers, for so long at most."""
        for entrance in self._entrances:
            self.forget(entrance.listener.fileno())
        for relay in list(self._shaking):
            self._end(relay)
        until = time.monotonic() + seconds
        while self._relays and time.monotonic() < until:
            self.turn(until - time.monotonic())

    def close(self) -> None:
        """Close everything."""
        for relay in list(self._relays):
            self._end(relay)
        for entrance in self._entrances:
            self.forget(entrance.listener.fileno())
            entrance.listener.close()
            entrance.channel.close()
        self.epoll.close()
