# SPDX-License-Identifier: Apache-2.0
"""The launch document: everything that steers a Keep, in one place, made by the tenant's client.

Deterministic CBOR (RFC 8949 section 4.2.1); an absent item's key is absent. Its SHA-256 is the
`launch` digest that the launcher places in HOST_DATA, MRCONFIGID or CONFIGID. The agent acts on
no input outside it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.codec.digest import sha256
from enarx.errors import Malformed, Misused, Reason
from enarx.workload import resolver
from enarx.workload.manifest import Limits

VERSION = 1
MAX_BYTES = 1 << 20
LIMITS = frozenset(Limits.__struct_fields__)
"""Limits that a launch may set; the manifest's own can only be lower. Bytes, seconds, counts."""
STDIO = frozenset({"host", "null"})
_SIZES = {"package": 32, "deployment": 16, "steward_ca": 32, "source_ca": 32, "resolver_ca": 32}


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What a Keep is opened for.

    package     SHA-256 of the package's root directory entry as received (32 bytes)
    tenant      the tenant's public key, DER SubjectPublicKeyInfo
    deployment  one-time identifier (16 bytes)
    steward     the Steward's URL
    steward_ca  SHA-256 of the SubjectPublicKeyInfo of the Steward's CA (32 bytes)
    source      where the package is fetched: a registry URL of its tree
    source_ca   SHA-256 of the SubjectPublicKeyInfo of the CA of the registry's TLS (32 bytes)
    args, env   arguments after argv[0], and environment, that the tenant adds
    stdio       "stdin", "stdout", "stderr" -> "host" or "null": what of the host the guest sees
    resolver    how names are resolved: "" none, "host", or a DoT/DoH URL (`workload.resolver`)
    resolver_ca  SHA-256 of the SubjectPublicKeyInfo of the CA of its TLS (32 bytes); absent, the public CAs
    limits      upper bounds by the names in `LIMITS`
    secrets     names of the secrets that the tenant will release, and the Keep waits for
    signature   the package's signature (`workload.signature`), for who must know its signer
    signer      the key that made it, DER SubjectPublicKeyInfo
    """

    package: bytes
    tenant: bytes
    deployment: bytes
    steward: str | None = None
    steward_ca: bytes | None = None
    source: str | None = None
    source_ca: bytes | None = None
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    stdio: dict[str, str] = {}
    resolver: str | None = None
    resolver_ca: bytes | None = None
    limits: dict[str, int] = {}
    secrets: tuple[str, ...] = ()
    signature: bytes | None = None
    signer: bytes | None = None

    def __post_init__(self) -> None:
        for name, size in _SIZES.items():
            value = getattr(self, name)
            if value is not None and len(value) != size:
                raise Misused(Reason.WRONG_LENGTH, f"launch document: {name} has {len(value)} bytes, expected {size}")
        if (self.steward is None) != (self.steward_ca is None):
            raise Misused(Reason.INCONSISTENT, "launch document: steward and steward_ca go together")
        if self.resolver is not None:
            resolver.require(self.resolver)
        if self.resolver_ca is not None and "://" not in (self.resolver or ""):
            raise Misused(Reason.INCONSISTENT, "launch document: resolver_ca without the URL of a resolver")
        if (self.signature is None) != (self.signer is None):
            raise Misused(Reason.INCONSISTENT, "launch document: signature and signer go together")
        if unknown := self.limits.keys() - LIMITS:
            raise Misused(Reason.UNKNOWN_KEY, f"launch document: limit {min(unknown)!r}")
        if self.stdio.keys() - {"stdin", "stdout", "stderr"} or set(self.stdio.values()) - STDIO:
            raise Misused(Reason.UNKNOWN_VALUE, "launch document: stdio")

    def encoded(self) -> bytes:
        """The document's bytes."""
        table: dict[str, Any] = {"v": VERSION}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and value not in ((), {}):
                table[name] = value
        return cbor.encode(table)

    def digest(self) -> bytes:
        """The launch digest, 32 bytes."""
        return sha256(self.encoded())


_TYPES: dict[str, type] = {
    "package": bytes,
    "tenant": bytes,
    "deployment": bytes,
    "steward": str,
    "steward_ca": bytes,
    "source": str,
    "source_ca": bytes,
    "args": list,
    "env": dict,
    "stdio": dict,
    "resolver": str,
    "resolver_ca": bytes,
    "limits": dict,
    "secrets": list,
    "signature": bytes,
    "signer": bytes,
}


def parse(raw: bytes) -> Launch:
    """A launch document as received. `Malformed` unless it is the one encoding of its contents."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"launch document: {len(raw)} bytes")
    table: Any = cbor.decode_canonical(raw, "launch document")
    if not isinstance(table, dict) or table.pop("v", None) != VERSION:
        raise Malformed(Reason.UNKNOWN_VERSION, "launch document: v")
    for name, value in table.items():
        _require_type(name, value)
    if missing := {"package", "tenant", "deployment"} - table.keys():
        raise Malformed(Reason.MISSING, f"launch document: {min(missing)!r}")
    for name in ("args", "secrets"):
        if name in table:
            table[name] = tuple(table[name])
    try:
        launch = Launch(**table)
    except Misused as error:
        raise Malformed(error.reason, error.subject) from None
    if launch.encoded() != raw:
        raise Malformed(Reason.NOT_CANONICAL, "launch document: an empty item is absent")
    return launch


def _require_type(name: object, value: object) -> None:
    wanted = _TYPES.get(name) if isinstance(name, str) else None
    if wanted is None:
        raise Malformed(Reason.UNKNOWN_KEY, f"launch document: {name!r}")
    if not isinstance(value, wanted) or not _items_fit(name, value):
        raise Malformed(Reason.WRONG_TYPE, f"launch document: {name}")


def _items_fit(name: object, value: object) -> bool:
    match value:
        case dict():
            wanted = int if name == "limits" else str
            return all(isinstance(key, str) and type(one) is wanted for key, one in value.items())
        case list():
            return all(isinstance(one, str) for one in value)
        case _:
            return True
