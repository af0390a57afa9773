# SPDX-License-Identifier: Apache-2.0
"""Bodies on their way in: counted, digested, and refused before anything of them can be read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from anyio import to_thread

from enarx.errors import Malformed, Reason, Unauthentic
from enarx.registry.store import Incoming
from enarx.workload.tree import DIRECTORY, Entry, Scale

PIECE = 1 << 20
"""Bytes that are gathered before a thread digests and writes them."""


class Weighed:
    """What came: its length and digests, and for a directory its bytes."""

    __slots__ = ("bytes", "scale")

    def __init__(self) -> None:
        self.scale = Scale()
        self.bytes = b""

    def require(self, expected: Entry) -> None:
        """What came is what `expected` says; `Malformed`, in upstream's words, otherwise."""
        if self.scale.length != expected.length:
            raise Malformed(
                Reason.WRONG_LENGTH,
                f"Content length mismatch, expected: {expected.length}, got {self.scale.length}",
            )
        try:
            self.scale.require(expected, "content")
        except Unauthentic as error:
            raise Malformed(error.reason, "Content digest mismatch") from None


async def small(stream: AsyncIterator[bytes], limit: int) -> bytes:
    """A whole body of at most `limit` bytes."""
    body = b""
    async for piece in stream:
        body += piece
        if len(body) > limit:
            raise Malformed(Reason.TOO_LARGE, f"request body, at most {limit} bytes")
    return body


async def receive(stream: AsyncIterator[bytes], into: Incoming, expected: Entry) -> Weighed:
    """Write a body into the store's antechamber and hold it against its entry."""
    found = Weighed()

    def consume(piece: bytes) -> None:
        found.scale.update(piece)
        into.write(piece)
        if expected.type == DIRECTORY:
            found.bytes += piece

    waiting: list[bytes] = []
    size = total = 0
    async for piece in stream:
        waiting.append(piece)
        size += len(piece)
        total += len(piece)
        if total > expected.length:
            raise Malformed(Reason.WRONG_LENGTH, f"Content length mismatch, expected: {expected.length}, got more")
        if size >= PIECE:
            await to_thread.run_sync(consume, b"".join(waiting))
            waiting, size = [], 0
    await to_thread.run_sync(consume, b"".join(waiting))
    found.require(expected)
    return found
