# SPDX-License-Identifier: Apache-2.0
"""What a manifest grants, opened: the guest's first descriptors, in the manifest's order.

Standard streams need no sockets, and sockets without TLS need no TLS: each is imported when a
manifest asks for it, because `run` starts in less time than they take to load.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from enarx.errors import Misused, Reason
from enarx.runtime.guest.start import OpenFile
from enarx.runtime.pump import Pump
from enarx.runtime.workload import Bound, Identity, Stdio, Workload
from enarx.workload.manifest import HOST, Connect, File, Listen, Null, Stderr, Stdin, Stdout


class Loop(Protocol):
    """Waits on descriptors; `gateway.Gateway` is the one that exists."""

    def watch(self, descriptor: int, mask: int, action: Callable[[int], bool | None]) -> None:
        """Call `action` with the events of a descriptor."""

    def forget(self, descriptor: int) -> None:
        """Stop watching."""

    def turn(self, seconds: float | None) -> None:
        """Wait once, and do what has become possible."""

    def drain(self, seconds: float) -> None:
        """Let what a guest wrote before it ended reach its peers."""

    def close(self) -> None:
        """Close everything."""


class End(Protocol):
    """A socket, as far as it must be known here."""

    def detach(self) -> int:
        """Its descriptor, which becomes the caller's."""


class Door(Protocol):
    """Opens sockets for a guest; `doorway.Doorway` is the one that exists."""

    def listen(self, file: Listen) -> tuple[str, End, tuple[str, int]]:
        """A listener before the guest runs."""

    def connect(self, file: Connect) -> End:
        """A connection before the guest runs."""

    def renew(self, identity: Identity) -> None:
        """Be this in handshakes from now on."""

    def ask_listen(self, file: Listen, answer: Callable[[str, End | None, int], None]) -> None:
        """A listener while it runs."""

    def ask_connect(self, file: Connect, answer: Callable[[str, End | None, int], None]) -> None:
        """A connection while it runs."""


class Opening:
    """The guest's first files, and what must live in the agent for them to work.

    files    in the order of the manifest, so that an index is a descriptor number
    bound    its listening sockets
    gateway  the loop that ends TLS; None when nothing needs one
    pump     what carries the output of a guest with an `output_rate`
    doorway  what opens sockets on that loop; None likewise
    """

    def __init__(self) -> None:
        self.files: list[OpenFile] = []
        self.bound: list[Bound] = []
        self.gateway: Loop | None = None
        self.doorway: Door | None = None
        self.pump: Pump | None = None
        self._ours: list[int] = []

    def add(self, kind: str, host: int, place: str = "") -> None:
        """A file that the kernel knows; the descriptor becomes this object's to close.

        place  where a socket listens or leads, as its manifest says it: "PORT", "HOST:PORT"
        """
        self.files.append(OpenFile(kind, place.encode(), host))
        self._ours.append(host)

    def handed_over(self) -> None:
        """The guest's process has its own copies: close ours, so that a peer sees the guest close."""
        while self._ours:
            os.close(self._ours.pop())

    def close(self) -> None:
        """Give everything back."""
        self.handed_over()
        if self.pump is not None:
            self.pump.close()
        if self.gateway is not None:
            self.gateway.close()
            self.gateway = None


def open_files(workload: Workload, identity: Identity | None, stdio: Stdio, clock: Callable[[], datetime]) -> Opening:
    """Everything that the manifest lists under `files`, open; nothing stays open when one cannot be."""
    opening = Opening()
    if (rate := workload.bounded().output_rate) is not None:
        opening.pump = Pump(rate)
    try:
        for file in workload.manifest.files:
            _open(opening, file, workload, stdio)
        network = workload.manifest.network
        listed = any(isinstance(file, Listen | Connect) for file in workload.manifest.files)
        if listed or network.incoming or network.outgoing:
            from enarx.runtime.sockets import open_sockets

            open_sockets(opening, workload, identity, clock)
    except BaseException:
        opening.close()
        raise
    return opening


def _open(opening: Opening, file: File, workload: Workload, stdio: Stdio) -> None:
    match file:
        case Stdin(source=source) if source != HOST:
            opening.files.append(OpenFile("script", _script(source, workload)))
        case Stdin():
            _stream(opening, "stdin", stdio.stdin)
        case Stdout():
            _stream(opening, "stdout", stdio.stdout)
        case Stderr():
            _stream(opening, "stderr", stdio.stderr)
        case Null() | Listen() | Connect():
            opening.files.append(OpenFile("null"))


def _stream(opening: Opening, kind: str, host: int | None) -> None:
    if host is None:
        opening.files.append(OpenFile("null"))
        return
    try:
        copy = os.dup(host)
        opening.add(kind, copy if kind == "stdin" or opening.pump is None else opening.pump.through(copy))
    except OSError:
        # A launcher may have closed its streams; the guest then has nothing to read or write there.
        opening.files.append(OpenFile("null"))


def _script(source: str, workload: Workload) -> bytes:
    if source not in workload.tree:
        hint = f'add {source!r} to the package, or write source = "{HOST}"'
        raise Misused(Reason.NODE_MISSING, f"{source}, the source of stdin", hint=hint)
    return workload.tree[source]
