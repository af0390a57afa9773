# SPDX-License-Identifier: Apache-2.0
"""`fields`: a message's headers or trailers, as a component sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from enarx.runtime.component.http.syntax import NAME, Entries
from enarx.runtime.component.interface import Refused
from enarx.runtime.component.types import Case

INVALID, FORBIDDEN, IMMUTABLE = Case("invalid-syntax"), Case("forbidden"), Case("immutable")
HOP_BY_HOP = frozenset(
    (
        *("connection", "host", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "transfer-encoding", "upgrade"),
    )
)
"""What belongs to the connection: a Keep says it, and a component neither sees nor sets it."""
MOST_BYTES = 1 << 16
_NAME = re.compile(NAME)
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class Fields:
    """Entries in their order; names are kept in lower case, which is how they are compared."""

    def __init__(self, entries: Entries | None = None, *, fixed: bool = False) -> None:
        self.entries: Entries = [] if entries is None else entries
        self._fixed = fixed

    @classmethod
    def received(cls, entries: Entries) -> Fields:
        """Of a message that came in."""
        return cls([one for one in entries if one[0] not in HOP_BY_HOP], fixed=True)

    @classmethod
    def listed(cls, entries: Entries) -> Fields:
        """Of these entries; raises header-error."""
        made = cls()
        made._add([(made._settable(name, [value]), value) for name, value in entries])
        return made

    def drop(self) -> None:
        """Nothing is held."""

    def fixed(self) -> Fields:
        """The same, which cannot be changed any more."""
        return Fields(self.entries, fixed=True)

    def clone(self) -> Fields:
        """Another with the same entries, which can be changed."""
        return Fields(list(self.entries))

    def get(self, name: str) -> list[bytes]:
        """All values of a name."""
        wanted = name.lower()
        return [value for one, value in self.entries if one == wanted]

    def set(self, name: str, values: list[bytes]) -> None:
        """Replace all values of a name; raises header-error."""
        wanted = self._settable(name, values)
        self.entries[:] = [one for one in self.entries if one[0] != wanted]
        self._add((wanted, value) for value in values)

    def append(self, name: str, value: bytes) -> None:
        """One more value; raises header-error."""
        self._add([(self._settable(name, [value]), value)])

    def delete(self, name: str) -> None:
        """All values of a name are gone; raises header-error."""
        self.set(name, [])

    def _settable(self, name: str, values: list[bytes]) -> str:
        if self._fixed:
            raise Refused(IMMUTABLE)
        if not _NAME.fullmatch(name) or not all(_VALUE.fullmatch(value) for value in values):
            raise Refused(INVALID)
        if name.lower() in HOP_BY_HOP:
            raise Refused(FORBIDDEN)
        return name.lower()

    def _add(self, entries: Iterable[tuple[str, bytes]]) -> None:
        self.entries += ((name, value.strip(b"\t ")) for name, value in entries)
        if sum(len(name) + len(value) + 4 for name, value in self.entries) > MOST_BYTES:
            raise MemoryError
