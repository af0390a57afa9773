# SPDX-License-Identifier: Apache-2.0
"""One connection of a relay's own side."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable


class End:
    """One connection of this side: its socket, and bytes on their way into it."""

    __slots__ = ("ending", "mask", "on_accept", "out", "owed", "read_done", "sock")

    def __init__(self, sock: socket.socket, on_accept: Callable[[bool], None] | None) -> None:
        self.sock = sock
        self.out: deque[bytes] = deque()
        self.ending = False
        self.read_done = False
        self.mask = 0
        self.owed = 0
        self.on_accept = on_accept
