# SPDX-License-Identifier: Apache-2.0
"""What a Keep and its tenant's broker say about a sealed volume (docs/formats/sealed.md). No IO here.

From ask to receipt it is the release of secrets; then the Keep says what it committed, and the broker holds it.
"""

from __future__ import annotations

import msgspec

from enarx.codec import cbor
from enarx.delivery.message import VERSION, require_size, table
from enarx.delivery.release import Secrets
from enarx.errors import Malformed, Misused, Reason, Unacceptable

ALPN = b"enarx-sealed/1"
ROOT_SIZE = 32
DIGEST_SIZE = 32
MAX_MESSAGE = 1024
_ROOT, _HELD = "root", "held"


class Advance(msgspec.Struct, frozen=True):
    """A volume's number of commits, and the SHA-256 of its root record."""

    version: int
    digest: bytes

    def encoded(self) -> bytes:
        """The message."""
        return cbor.encode({"v": VERSION, "version": self.version, "digest": self.digest})

    def receipt(self) -> bytes:
        """What a broker says that has written it down."""
        return cbor.encode({"v": VERSION, "version": self.version})


def parse_advance(raw: bytes) -> Advance:
    """`Malformed` unless it is one well-formed advance."""
    found = table(raw, "advance", {"version": int, "digest": bytes})
    require_size(found["digest"], DIGEST_SIZE, "advance: digest")
    if not 0 < found["version"] < 1 << 63:
        raise Malformed(Reason.UNKNOWN_VALUE, "advance: version")
    return Advance(found["version"], found["digest"])


class Book(msgspec.Struct, frozen=True):
    """What a broker knows of one volume: its sealing root, and what it holds. Nothing of it is shown."""

    root: bytes
    held: Advance | None = None

    def __post_init__(self) -> None:
        if len(self.root) != ROOT_SIZE:
            raise Misused(Reason.WRONG_LENGTH, f"sealing root of {len(self.root)} bytes, expected {ROOT_SIZE}")

    def __repr__(self) -> str:
        return "Book(...)"

    def secrets(self) -> Secrets:
        """What goes into the parcel."""
        held = {} if self.held is None else {_HELD: self.held.encoded()}
        return Secrets({_ROOT: self.root, **held})

    def advanced(self, to: Advance) -> Book:
        """The book after one more commit; `Unacceptable` unless it counts on from here."""
        if to == self.held:
            return self
        now = 0 if self.held is None else self.held.version
        if to.version != now + 1:
            said = f"sealed volume: the keep committed version {to.version}, and version {now} is held"
            raise Unacceptable(Reason.NOT_FRESH, said, hint="another keep has written since")
        return Book(self.root, to)


def parse_book(secrets: Secrets) -> Book:
    """What came in the parcel; `Malformed` unless it is a book."""
    given = dict(secrets.values)
    root, held = given.pop(_ROOT, b""), given.pop(_HELD, None)
    if given or len(root) != ROOT_SIZE:
        raise Malformed(Reason.UNKNOWN_KEY, "parcel of a sealing root")
    return Book(root, None if held is None else parse_advance(held))
