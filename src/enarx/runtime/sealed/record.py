# SPDX-License-Identifier: Apache-2.0
"""The root record of a sealed volume: the one thing the host may replace, and what it leads to."""

from __future__ import annotations

from typing import Any

import msgspec

from enarx.codec import cbor
from enarx.codec.digest import sha256
from enarx.errors import Malformed, Reason, Unacceptable
from enarx.runtime.sealed.cipher import NAME_SIZE, ROOT, VOLUME_SIZE, Cipher, Scope, unwrapped

VERSION = 1
ROOT_NAME = "root"
MAX_BYTES = 1 << 20
_OUTER: dict[str, type] = {
    "v": int,
    "volume": bytes,
    "bind": str,
    "security_version": int,
    "wrap": bytes,
    "body": bytes,
    "version": int,
}
_INNER: dict[str, type] = {"version": int, "previous": bytes, "tree": list, "next": int}


class Held(msgspec.Struct, frozen=True):
    """What a broker holds of a volume: how many commits there were, and the last root record's SHA-256."""

    version: int
    digest: bytes


class Root(msgspec.Struct, frozen=True):
    """What a root record says.

    version   number of commits
    previous  SHA-256 of the record before; empty for the first
    tree      names of the tree's objects
    following the next inode
    """

    version: int
    previous: bytes
    tree: tuple[bytes, ...]
    following: int


class Opened(msgspec.Struct, frozen=True):
    """A root record that was opened. digest: its SHA-256."""

    cipher: Cipher
    root: Root
    digest: bytes


def encode(content: Root, cipher: Cipher, root: bytes, scope: Scope) -> bytes:
    """The record's bytes, for a sealing root and a scope."""
    wrapping = scope.wrapping_key(root, cipher.volume, scope.security_version)
    outer: dict[str, Any] = {
        "v": VERSION,
        "volume": cipher.volume,
        "bind": scope.bind,
        "security_version": scope.security_version,
        "wrap": cipher.wrapped(wrapping),
        "version": content.version,
    }
    inner = {
        "version": content.version,
        "previous": content.previous,
        "tree": list(content.tree),
        "next": content.following,
    }
    body = cipher.seal(cbor.encode(inner), ROOT, 0, content.version, sha256(cbor.encode(outer)))
    return cbor.encode({**outer, "body": body})


def decode(raw: bytes, root: bytes, scope: Scope) -> Opened:
    """A record as the host gave it.

    `Malformed` when it is none, `Unacceptable` when it was sealed for packages of another kind or at a
    higher security version, `Unauthentic` when this root and scope did not make it.
    """
    outer = _table(raw, "root record", _OUTER)
    body = outer.pop("body")
    version, sealed_at = outer["version"], outer["security_version"]
    if outer["v"] != VERSION or len(outer["volume"]) != VOLUME_SIZE:
        raise Malformed(Reason.UNKNOWN_VERSION, "sealed volume: root record")
    if outer["bind"] != scope.bind:
        said = f"sealed volume: it is bound to the {outer['bind']}, the manifest says {scope.bind!r}"
        raise Unacceptable(Reason.LAUNCH_MISMATCH, said)
    if sealed_at > scope.security_version:
        said = f"sealed volume: sealed at security version {sealed_at}, this package has {scope.security_version}"
        raise Unacceptable(Reason.SECURITY_VERSION_TOO_LOW, said)
    cipher = unwrapped(outer["wrap"], scope.wrapping_key(root, outer["volume"], sealed_at), outer["volume"])
    inner = _table(cipher.open(body, ROOT, 0, version, sha256(cbor.encode(outer))), "root record", _INNER)
    names = tuple(inner["tree"])
    if not all(isinstance(name, bytes) and len(name) == NAME_SIZE for name in names):
        raise Malformed(Reason.WRONG_TYPE, "sealed volume: tree")
    content = Root(inner["version"], inner["previous"], names, inner["next"])
    return Opened(cipher, content, sha256(raw))


def require_fresh(found: Opened | None, held: Held | None) -> None:
    """`Unacceptable` when the host shows another volume than the one whose version the broker holds.

    A broker that holds nothing expects no volume, or the first commit of one.
    """
    latest = Held(0, b"") if held is None else held
    if found is None and held is None:
        return
    if found is None:
        said = f"sealed volume: there is none, and the broker holds version {latest.version}"
    elif found.digest == latest.digest or (
        found.root.version == latest.version + 1 and found.root.previous == latest.digest
    ):
        return
    else:
        said = f"sealed volume: version {found.root.version}, and the broker holds version {latest.version}"
        said += " of another history" if found.root.version >= latest.version else ""
    raise Unacceptable(Reason.NOT_FRESH, said, hint="the host has rolled the folder back; restore the newest one")


def _table(raw: bytes, what: str, keys: dict[str, type]) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"sealed volume: {what}")
    found = cbor.decode_canonical(raw, f"sealed volume: {what}")
    if not isinstance(found, dict) or found.keys() != keys.keys():
        raise Malformed(Reason.UNKNOWN_KEY, f"sealed volume: {what}")
    if not all(type(found[name]) is kind for name, kind in keys.items()):
        raise Malformed(Reason.WRONG_TYPE, f"sealed volume: {what}")
    if not all(0 <= value < 1 << 63 for value in found.values() if isinstance(value, int)):
        raise Malformed(Reason.UNKNOWN_VALUE, f"sealed volume: {what}")
    return found
