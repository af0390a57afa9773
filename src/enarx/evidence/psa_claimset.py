# SPDX-License-Identifier: Apache-2.0
"""Typed reading of the claim maps inside PSA and CCA tokens (CWT claims, RFC 8392).

Labels that a profile does not define are kept out of the way: EAT (RFC 9711 section 4) has
verifiers ignore them, and nobody here acts on them.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.errors import Malformed, Reason

HASH_SIZES = frozenset((32, 48, 64))
"""Sizes in bytes of what both profiles call a hash type."""
UEID_SIZE = 33
"""An instance id: the type octet 0x01 (RAND) and 32 bytes, RFC 9783 section 4.2.1."""

LIFECYCLES = (
    "unknown",
    "assembly-and-test",
    "rot-provisioning",
    "secured",
    "non-rot-debug",
    "recoverable-rot-debug",
    "decommissioned",
)
"""RFC 9783 section 4.3.1: the state is the high octet's high nibble, the low octet is the implementation's."""
SECURED = 0x3000
_DEBUG_STATES = frozenset((0x4000, 0x5000))

MAX_COMPONENTS = 256


class Component(msgspec.Struct, frozen=True):
    """One measured software component, RFC 9783 section 4.4.1.

    type        what it is ("BL", "RMM"), or None
    measurement its hash, 32, 48 or 64 bytes
    version     as issued, or None
    signer      hash of the key that signed it, 32, 48 or 64 bytes
    description how it was measured (hash algorithm), or None
    """

    type: str | None
    measurement: bytes
    version: str | None
    signer: bytes
    description: str | None


def lifecycle_state(lifecycle: int) -> str | None:
    """The name of the state that a lifecycle value lies in, or None if it lies in none."""
    state, own = lifecycle >> 12, lifecycle & 0x0F00
    return LIFECYCLES[state] if own == 0 and 0 <= state < len(LIFECYCLES) else None


def is_secured(lifecycle: int) -> bool:
    """0x3000 to 0x30ff: the only state in which the root of trust's keys are to be believed."""
    return lifecycle & ~0xFF == SECURED


def is_debug(lifecycle: int) -> bool:
    """A state that the specification names after debugging."""
    return lifecycle & ~0xFF in _DEBUG_STATES


class ClaimSet:
    """A map of claims, read by label. Every refusal is `Malformed` and names the claim."""

    __slots__ = ("_table", "_what")

    def __init__(self, raw: bytes, what: str) -> None:
        table = cbor.decode(raw, what)
        if not isinstance(table, dict):
            raise Malformed(Reason.WRONG_TYPE, f"{what}: claims are not a map")
        self._table: dict[Any, Any] = table
        self._what = what

    def __contains__(self, label: int) -> bool:
        return label in self._table

    def _get(self, label: int, name: str) -> Any:
        if label not in self._table:
            raise Malformed(Reason.MISSING, f"{self._what}: {name} ({label})")
        return self._table[label]

    def _wrong(self, reason: Reason, label: int, name: str) -> Malformed:
        return Malformed(reason, f"{self._what}: {name} ({label})")

    def octets(self, label: int, name: str, sizes: Container[int]) -> bytes:
        """A byte string of one of `sizes`."""
        value = self._get(label, name)
        if not isinstance(value, bytes):
            raise self._wrong(Reason.WRONG_TYPE, label, name)
        if len(value) not in sizes:
            raise self._wrong(Reason.WRONG_LENGTH, label, name)
        return value

    def optional_octets(self, label: int, name: str, sizes: Container[int]) -> bytes | None:
        """As `octets`, or None when absent."""
        return self.octets(label, name, sizes) if label in self else None

    def text(self, label: int, name: str, pattern: str = r"(?s).+") -> str:
        """A text string that matches `pattern` whole."""
        value = self._get(label, name)
        if not isinstance(value, str):
            raise self._wrong(Reason.WRONG_TYPE, label, name)
        if re.fullmatch(pattern, value) is None:
            raise self._wrong(Reason.UNKNOWN_VALUE, label, name)
        return value

    def optional_text(self, label: int, name: str, pattern: str = r"(?s).+") -> str | None:
        """As `text`, or None when absent."""
        return self.text(label, name, pattern) if label in self else None

    def integer(self, label: int, name: str, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        value = self._get(label, name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(Reason.WRONG_TYPE, label, name)
        if not low <= value <= high:
            raise self._wrong(Reason.UNKNOWN_VALUE, label, name)
        return value

    def lifecycle(self, label: int) -> int:
        """A security lifecycle that lies in one of the defined states."""
        value = self.integer(label, "security lifecycle", 0, 0xFFFF)
        if lifecycle_state(value) is None:
            raise self._wrong(Reason.UNKNOWN_VALUE, label, "security lifecycle")
        return value

    def instance_id(self, label: int) -> bytes:
        """A UEID of type RAND, 33 bytes."""
        value = self.octets(label, "instance id", (UEID_SIZE,))
        if value[0] != 0x01:
            raise self._wrong(Reason.UNKNOWN_VALUE, label, "instance id type")
        return value

    def items(self, label: int, name: str, limit: int) -> list[Any]:
        """An array of 1 to `limit` items."""
        value = self._get(label, name)
        if not isinstance(value, list | tuple):
            raise self._wrong(Reason.WRONG_TYPE, label, name)
        if not value:
            raise self._wrong(Reason.MISSING, label, f"an entry in {name}")
        if len(value) > limit:
            raise self._wrong(Reason.TOO_LARGE, label, name)
        return list(value)

    def components(self, label: int) -> tuple[Component, ...]:
        """The software components: at least one, each with its measurement and its signer."""
        return tuple(
            self._component(entry, f"{self._what}: software component {at}")
            for at, entry in enumerate(self.items(label, "software components", MAX_COMPONENTS))
        )

    @staticmethod
    def _component(entry: object, what: str) -> Component:
        if not isinstance(entry, dict):
            raise Malformed(Reason.WRONG_TYPE, what)
        inner = ClaimSet.of(entry, what)
        return Component(
            inner.optional_text(1, "type"),
            inner.octets(2, "measurement value", HASH_SIZES),
            inner.optional_text(4, "version"),
            inner.octets(5, "signer id", HASH_SIZES),
            inner.optional_text(6, "measurement description"),
        )

    @classmethod
    def of(cls, table: dict[Any, Any], what: str) -> ClaimSet:
        """The claims of a map that has been decoded."""
        one = cls.__new__(cls)
        one._table, one._what = table, what  # noqa: SLF001 - the class makes its own value
        return one


def components_shown(components: tuple[Component, ...]) -> list[dict[str, str | None]]:
    """Components as plain JSON values."""
    return [
        {
            "type": one.type,
            "measurement": one.measurement.hex(),
            "version": one.version,
            "signer": one.signer.hex(),
            "description": one.description,
        }
        for one in components
    ]
