# SPDX-License-Identifier: Apache-2.0
"""What a judge may remember: paths that it has authenticated itself, by their exact bytes.

A memory is an argument, never a global. It holds answers to "do these signatures hold?", which
cannot change; validity at a time and revocation are asked again on every use.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Memory(Generic[T]):
    """At most `limit` authenticated values by key (exact bytes, or a digest of them); the least used goes first."""

    __slots__ = ("_kept", "_limit")

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._kept: OrderedDict[object, T] = OrderedDict()

    def get(self, key: object) -> T | None:
        """What was authenticated under this key, or None."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: object, value: T) -> T:
        """Remember a value that was just authenticated."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return value

    def __len__(self) -> int:
        return len(self._kept)
