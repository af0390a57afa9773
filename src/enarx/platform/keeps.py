# SPDX-License-Identifier: Apache-2.0
"""The Keeps that this user has open on this machine, and how to speak to their launchers.

A launcher listens on an abstract Unix socket whose name says what it is. There is no file and no
register: a launcher that is gone, however it ended, is not in the list.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from enarx.errors import Misused, Reason, Undetermined

_NAME = "enarx-keep/{uid}/{keep}"
_LISTED = re.compile(r"@enarx-keep/(\d+)/([0-9a-f]{8})$", re.MULTILINE)
_MOST = 1 << 20
_PATIENCE = 5.0
ASKS = frozenset({"inspect", "logs", "stop"})


class Announced:
    """A launcher that can be asked. Use as a context manager around the life of a Keep."""

    def __init__(
        self, *, inspect: Callable[[], dict[str, Any]], logs: Callable[[], str], stop: Callable[[], None]
    ) -> None:
        self.keep = secrets.token_hex(4)
        self._answers: dict[str, Callable[[], Any]] = {"inspect": inspect, "logs": logs, "stop": stop}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(_address(os.geteuid(), self.keep))

    def __enter__(self) -> Announced:  # noqa: PYI034 - `typing.Self` says less here
        self._listener.listen(8)
        self._server = threading.Thread(target=self._serve, name="announced", daemon=True)
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would leave the thread, and with it the name, waiting in `accept`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._server.join(_PATIENCE)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client, contextlib.suppress(OSError):
                    self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        client.settimeout(_PATIENCE)
        if _peer(client) not in {0, os.geteuid()}:
            return
        asked = client.recv(64).decode("ascii", "replace").strip()
        if asked not in ASKS:
            return
        client.sendall(json.dumps({asked: self._answers[asked]()}, default=str).encode())


def listed() -> list[str]:
    """The identifiers of the Keeps of this user."""
    try:
        text = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Undetermined(Reason.FILE_UNREADABLE, f"/proc/net/unix: {error.strerror}") from None
    return sorted({keep for uid, keep in _LISTED.findall(text) if int(uid) == os.geteuid()})


def ask(keep: str, what: str) -> Any:
    """What a Keep's launcher answers. `NOT_FOUND` when there is none of that name."""
    if not re.fullmatch(r"[0-9a-f]{8}", keep) or what not in ASKS:
        raise Misused(Reason.UNKNOWN_VALUE, f"Keep {keep!r}", hint="enarx keep list")
    try:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(_PATIENCE)
            stream.connect(_address(os.geteuid(), keep))
            if _peer(stream) not in {0, os.geteuid()}:
                raise Undetermined(Reason.NOT_FOUND, f"Keep {keep}: another user answers under its name")
            stream.sendall(what.encode())
            return json.loads(_everything(stream))[what]
    except (ConnectionRefusedError, FileNotFoundError):
        raise Misused(Reason.NOT_FOUND, f"Keep {keep}", hint="enarx keep list") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise Undetermined(Reason.UNEXPECTED_ANSWER, f"Keep {keep}: its launcher does not answer") from None


def _everything(stream: socket.socket) -> bytes:
    parts = bytearray()
    while more := stream.recv(65536):
        parts += more
        if len(parts) > _MOST:
            raise ValueError("too much")
    return bytes(parts)


def _address(uid: int, keep: str) -> str:
    return "\0" + _NAME.format(uid=uid, keep=keep)


def _peer(stream: socket.socket) -> int:
    """The user at the other end, as the kernel knows it."""
    raw = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[1])
