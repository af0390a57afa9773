# SPDX-License-Identifier: Apache-2.0
"""Frames between a Keep and its launcher: neither believes the other's lengths.

A frame is a 4-byte big-endian length and that many bytes of deterministic CBOR, a map from text.
The same frames run over a socket pair (`process`) and over virtio-serial (a VM). This file has
no IO: bytes go in, messages come out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from enarx.codec import cbor
from enarx.errors import Malformed, Reason

MAX_FRAME = 4 << 20
"""Larger than any node of a directory (1 MiB) or chunk of a module (`CHUNK`)."""
CHUNK = 1 << 20


def frame(message: dict[str, Any]) -> bytes:
    """One message as bytes to send."""
    body = cbor.encode(message)
    if len(body) > MAX_FRAME:
        raise Malformed(Reason.TOO_LARGE, f"control frame: {len(body)} bytes, at most {MAX_FRAME}")
    return len(body).to_bytes(4, "big") + body


def node_messages(path: str, data: bytes | None) -> Iterator[dict[str, Any]]:
    """What a launcher answers to an agent that wants a node: its bytes in pieces, or that there is none."""
    if data is None:
        yield {"op": "node", "path": path, "missing": True}
        return
    for start in range(0, max(len(data), 1), CHUNK):
        part = data[start : start + CHUNK]
        yield {"op": "node", "path": path, "data": part, "more": start + CHUNK < len(data)}


class Deframer:
    """Collects received bytes into messages. Memory stays below one frame plus one read."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, received: bytes) -> list[dict[str, Any]]:
        """The messages that are complete with these bytes."""
        self._pending += received
        messages: list[dict[str, Any]] = []
        while len(self._pending) >= 4:
            size = int.from_bytes(self._pending[:4], "big")
            if size > MAX_FRAME:
                raise Malformed(Reason.TOO_LARGE, f"control frame: {size} bytes, at most {MAX_FRAME}")
            if len(self._pending) < 4 + size:
                break
            body = bytes(self._pending[4 : 4 + size])
            del self._pending[: 4 + size]
            message = cbor.decode_canonical(body, "control frame")
            if not isinstance(message, dict) or not all(isinstance(key, str) for key in message):
                raise Malformed(Reason.WRONG_TYPE, "control frame: a map from text")
            messages.append(message)
        return messages

    def done(self) -> None:
        """The stream has ended between two frames."""
        if self._pending:
            raise Malformed(Reason.TRUNCATED, "control frame: the stream ended inside it")
