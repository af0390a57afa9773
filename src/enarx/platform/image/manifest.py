# SPDX-License-Identifier: Apache-2.0
"""What an image is made of: every file with its origin, and the same as a CycloneDX bill of materials."""

from __future__ import annotations

from typing import Any

import msgspec

from enarx.codec.digest import sha256
from enarx.errors import Malformed, Reason
from enarx.platform.image.lock import Deb, Entry, Lock

VERSION = 1


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the initramfs. `origin` is the label of its package, or "enarx"."""

    path: str
    size: int
    sha256: str
    origin: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the image's folder."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image: its parts by file name, the command line, every file inside with its origin."""

    version: int
    command_line: str
    parts: dict[str, Part]
    packages: dict[str, str]
    files: tuple[File, ...]

    def encoded(self) -> bytes:
        """As the image's folder holds it."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"


def parse(raw: bytes) -> Manifest:
    """A manifest as read from a folder."""
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise Malformed(Reason.SYNTAX, f"image manifest: {error}") from None
    if manifest.version != VERSION:
        raise Malformed(Reason.UNKNOWN_VERSION, "image manifest")
    return manifest


def describe(body: bytes) -> Part:
    """Size and digest."""
    return Part(size=len(body), sha256=sha256(body).hex())


def bill_of_materials(manifest: Manifest, lock: Lock, *, enarx: str) -> bytes:
    """The manifest as CycloneDX 1.6 JSON: a component for each package, with its files inside."""
    used = {file.origin for file in manifest.files} | set(manifest.packages)
    components = [_component(entry, manifest) for entry in lock.entries() if entry.label in used]
    components.append(_library("enarx", enarx, f"pkg:pypi/enarx@{enarx}", "", _files("enarx", manifest)))
    table = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "operating-system", "name": "enarx-keep-image", "version": enarx}},
        "components": components,
    }
    return msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n"


def _component(entry: Entry, manifest: Manifest) -> dict[str, Any]:
    kind = "deb/debian" if isinstance(entry, Deb) else "pypi"
    version = entry.version.replace(":", "%3A").replace("+", "%2B")
    url = f"pkg:{kind}/{entry.name}@{version}"
    return _library(entry.name, entry.version, url, entry.sha256, _files(entry.label, manifest))


def _library(name: str, version: str, url: str, digest: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    hashes = {"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {}
    inside = {"components": files} if files else {}
    return {"type": "library", "name": name, "version": version, "purl": url, "bom-ref": url, **hashes, **inside}


def _files(origin: str, manifest: Manifest) -> list[dict[str, Any]]:
    return [
        {"type": "file", "name": file.path, "hashes": [{"alg": "SHA-256", "content": file.sha256}]}
        for file in manifest.files
        if file.origin == origin
    ]
