# SPDX-License-Identifier: Apache-2.0
"""A stream to something of the launcher's that answers a Keep, one question at a time."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from enarx.errors import EnarxError
from enarx.platform.control import Deframer, frame

_MOST_READ = 1 << 18


def answering(name: str, respond: Callable[[dict[str, Any]], dict[str, Any]]) -> socket.socket:
    """A connected socket at whose other end a thread of this `name` answers until it is closed, or asked nonsense."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_serve, args=(ours, respond), name=name, daemon=True).start()
    return theirs


def _serve(stream: socket.socket, respond: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    deframer = Deframer()
    with stream, contextlib.suppress(OSError, EnarxError):
        while received := stream.recv(_MOST_READ):
            for message in deframer.feed(received):
                stream.sendall(frame(respond(message)))
