# SPDX-License-Identifier: Apache-2.0
"""What a Keep and its launcher say to each other about sealed storage: bytes by name, one question at a time.

The launcher is the host: what it answers is believed by nobody (docs/formats/sealed.md).
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterable
from typing import Any, Protocol

from enarx.errors import EnarxError, Malformed, Reason, Undetermined
from enarx.platform.control import MAX_FRAME, Deframer, frame

PATIENCE = 30.0
"""Seconds for one answer."""
MOST_NAMES = 10_000
MAX_OBJECT = MAX_FRAME - 4096
_NAME = re.compile(r"root|[0-9a-f]{64}", re.ASCII)


class Objects(Protocol):
    """Bytes by name; a name is `root` or 64 hexadecimal digits."""

    def get(self, name: str) -> bytes | None:
        """The bytes, or None."""

    def put(self, name: str, raw: bytes) -> None:
        """Store, replacing whole what was there."""

    def remove(self, names: Iterable[str]) -> None:
        """Forget."""

    def names(self) -> Iterable[str]:
        """Every name."""


def respond(objects: Objects, message: dict[str, Any]) -> dict[str, Any]:
    """The launcher's answer to one question."""
    try:
        match message:
            case {"get": str(name)} if _NAME.fullmatch(name):
                raw = objects.get(name)
                return {"missing": True} if raw is None else {"data": raw}
            case {"put": str(name), "data": bytes(raw)} if _NAME.fullmatch(name):
                objects.put(name, raw)
                return {"done": True}
            case {"remove": [*names]} if all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
                objects.remove(names)
                return {"done": True}
            case {"names": str(after)}:
                return {"names": sorted(name for name in objects.names() if name > after)[:MOST_NAMES]}
    except EnarxError as error:
        return {"failed": error.subject}
    raise Malformed(Reason.SYNTAX, "question about sealed storage")


class RemoteObjects:
    """The Keep's end: objects that the launcher keeps, at the other end of `stream`."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._stream.settimeout(PATIENCE)
        self._turn = threading.Lock()

    def get(self, name: str) -> bytes | None:
        """See `Objects.get`; `Malformed` or `Undetermined` when the launcher does not answer properly."""
        answered = self._ask({"get": name})
        if answered.get("missing") is True:
            return None
        raw: bytes = _typed(answered.get("data"), bytes)
        return raw

    def put(self, name: str, raw: bytes) -> None:
        """See `Objects.put`."""
        self._ask({"put": name, "data": raw})

    def remove(self, names: Iterable[str]) -> None:
        """See `Objects.remove`."""
        listed = list(names)
        for at in range(0, len(listed), MOST_NAMES):
            self._ask({"remove": listed[at : at + MOST_NAMES]})

    def names(self) -> Iterable[str]:
        """See `Objects.names`."""
        after = ""
        while listed := _typed(self._ask({"names": after}).get("names"), list):
            yield from (_typed(name, str) for name in listed)
            if listed[-1] <= after:
                raise Malformed(Reason.SYNTAX, "answer about sealed storage")
            after = listed[-1]

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        deframer = Deframer()
        try:
            with self._turn:
                self._stream.sendall(frame(message))
                while True:
                    received = self._stream.recv(1 << 18)
                    if not received:
                        raise Undetermined(Reason.UNREACHABLE, "sealed storage: the launcher keeps no folder for it")
                    if messages := deframer.feed(received):
                        break
        except TimeoutError:
            raise Undetermined(Reason.TIMED_OUT, "sealed storage: the launcher does not answer") from None
        except OSError as error:
            raise Undetermined(Reason.UNREACHABLE, f"sealed storage: {error.strerror}") from None
        if "failed" in messages[0]:
            raise Undetermined(Reason.UNREACHABLE, f"sealed storage: {str(messages[0]['failed'])[:200]}")
        return messages[0]


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise Malformed(Reason.SYNTAX, "answer about sealed storage")
    return value
