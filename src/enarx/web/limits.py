# SPDX-License-Identifier: Apache-2.0
"""How much of a service one client may use."""

from __future__ import annotations

from collections import OrderedDict

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one service. Sizes in bytes, times in seconds; a rate of 0 is no limit.

    body         of a request
    head         request line and headers together
    headers      how many
    handshake    TLS handshake
    head_seconds from the first byte of a request, or the opening of the connection, to the end of its head
    seconds      from the end of the head to the end of the answer
    idle         between two requests of a connection
    connections  at once; `client_connections` of them by one client address
    rate, burst  requests a second by one client address, and how many at once
    """

    body: int = 1 << 20
    head: int = 16 << 10
    headers: int = 64
    handshake: float = 10.0
    head_seconds: float = 10.0
    seconds: float = 30.0
    idle: float = 60.0
    connections: int = 4096
    client_connections: int = 1024
    rate: float = 0.0
    burst: int = 100


class Buckets:
    """A token bucket for each client, at most `size` clients; the one heard of longest ago goes first."""

    __slots__ = ("_burst", "_kept", "_rate", "_size")

    def __init__(self, rate: float, burst: int, size: int = 65536) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._size = size
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Take one token. Returns 0.0, or the seconds after which there will be one."""
        if self._rate <= 0:
            return 0.0
        tokens, seen = self._kept.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - seen) * self._rate)
        wait = 0.0 if tokens >= 1.0 else (1.0 - tokens) / self._rate
        self._kept[client] = (tokens - 1.0 if wait == 0.0 else tokens, now)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._kept)
