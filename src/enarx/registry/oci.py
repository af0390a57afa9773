# SPDX-License-Identifier: Apache-2.0
"""A package in an OCI registry (image specification 1.1): two manifests, as values.

One is the CNCF Wasm artifact: one layer, the module, which any runtime for OCI wasm can pull by the
tag; an annotation names the package. The other is the whole package and refers to the first as its `subject`: its config is the root
directory, so the config's digest is the package's digest; its layers are the nodes by their paths.
What a registry says here is a hint where bytes lie. The tree decides what they must be.
"""

from __future__ import annotations

import json as stdlib_json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from enarx.codec import json
from enarx.codec.digest import sha256, unhex
from enarx.errors import Malformed, Misused, Reason
from enarx.workload import module
from enarx.workload.package import Package
from enarx.workload.tree import DIRECTORY, WASM, valid_name

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
WASM_CONFIG = "application/vnd.wasm.config.v0+json"
PACKAGE = "application/vnd.enarx.package.v1+json"
TITLE = "org.opencontainers.image.title"
NAMED = "dev.enarx.package"
"""Annotation of a module's artifact: the digest of the package that it belongs to."""
MAX_MANIFEST = 4 << 20
"""What registries accept (distribution specification 1.1)."""

# distribution specification 1.1, "Pulling manifests"
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_HOST = re.compile(r"(?:[0-9A-Za-z._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Reference(msgspec.Struct, frozen=True):
    """`HOST/NAME:TAG`."""

    host: str
    name: str
    tag: str


class Blob(msgspec.Struct, frozen=True):
    """Bytes with the media type that they have in a registry."""

    raw: bytes
    type: str

    @property
    def digest(self) -> str:
        """As registries write it."""
        return f"sha256:{sha256(self.raw).hex()}"

    def descriptor(self, **annotations: str) -> dict[str, Any]:
        """What a manifest says of it."""
        said: dict[str, Any] = {"mediaType": self.type, "digest": self.digest, "size": len(self.raw)}
        return {**said, "annotations": annotations} if annotations else said


class Artifact(msgspec.Struct, frozen=True):
    """A manifest to push, and the blobs that it names."""

    raw: bytes
    blobs: tuple[Blob, ...]

    @property
    def manifest(self) -> Blob:
        """The manifest as a blob."""
        return Blob(self.raw, MANIFEST)


class Pulled(msgspec.Struct, frozen=True):
    """A manifest as received: its config, its layers, those with a title by it, the package it names.

    Digests are 32 bytes of SHA-256.
    """

    config: bytes
    config_type: str
    layers: tuple[bytes, ...]
    titles: Mapping[str, bytes]
    package: bytes | None


def parse_reference(text: str) -> Reference:
    """`oci://HOST/NAME:TAG`, or the same without the scheme."""
    slug, _, tag = text.removeprefix("oci://").rpartition(":")
    host, _, name = slug.partition("/")
    if not (_HOST.fullmatch(host) and len(name) <= 255 and _NAME.fullmatch(name) and _TAG.fullmatch(tag)):
        raise Misused(Reason.SYNTAX, f"{text[:200]!r}: not of the form oci://HOST/NAME:TAG")
    return Reference(host, name, tag)


def artifact(package: Package) -> Artifact:
    """The CNCF Wasm artifact of a package's module."""
    layer = Blob(package.module, WASM)
    config = Blob(_dump(_wasm_config(layer)), WASM_CONFIG)
    named = {"annotations": {NAMED: f"sha256:{package.digest.hex()}"}}
    return _manifest(config, (layer.descriptor(**{TITLE: "main.wasm"}),), (config, layer), named)


def _wasm_config(layer: Blob) -> dict[str, Any]:
    outline = module.parse(layer.raw)
    said = {"architecture": "wasm", "os": "wasip2" if outline.component else "wasip1"}
    return {**said, "layerDigests": [layer.digest]}


def package(whole: Package, module_artifact: Artifact) -> Artifact:
    """The package whole, referring to its module's artifact."""
    config = Blob(whole.root, DIRECTORY)
    layers, blobs = [], [config]
    for path, entry in whole.entries().items():
        blob = Blob(whole.nodes[path], entry.type)
        layers.append(blob.descriptor(**{TITLE: path}))
        blobs.append(blob)
    more = {"artifactType": PACKAGE, "subject": module_artifact.manifest.descriptor()}
    return _manifest(config, tuple(layers), tuple(blobs), more)


def _manifest(
    config: Blob, layers: tuple[dict[str, Any], ...], blobs: tuple[Blob, ...], more: dict[str, Any]
) -> Artifact:
    table = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": list(layers), **more}
    return Artifact(_dump(table), blobs)


def index(descriptors: list[dict[str, Any]]) -> Blob:
    """An index of manifests, as the fallback for registries without the referrers interface."""
    return Blob(_dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors}), INDEX)


def referring(described: Blob) -> dict[str, Any]:
    """What an index of referrers says of a package's manifest."""
    return {**described.descriptor(), "artifactType": PACKAGE}


def referrers(raw: bytes) -> list[dict[str, Any]]:
    """The descriptors of an index; `Malformed` otherwise."""
    table = json.decode(raw, "OCI index", limit=MAX_MANIFEST)
    found = table.get("manifests") if isinstance(table, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Malformed(Reason.WRONG_TYPE, "OCI index: manifests")
    return found


def parse(raw: bytes) -> Pulled:
    """A manifest as received; `Malformed` otherwise."""
    table = json.decode(raw, "OCI manifest", limit=MAX_MANIFEST)
    if not isinstance(table, dict) or table.get("schemaVersion") != 2:
        raise Malformed(Reason.UNKNOWN_VERSION, "OCI manifest: schemaVersion")
    layers = table.get("layers")
    if not isinstance(layers, list):
        raise Malformed(Reason.WRONG_TYPE, "OCI manifest: layers")
    titles: dict[str, bytes] = {}
    for layer in layers:
        title = _title(layer)
        if title is not None and titles.setdefault(title, digest_of(layer)) != digest_of(layer):
            raise Malformed(Reason.DUPLICATE, f"OCI manifest: {title[:200]!r}")
    config = table.get("config")
    digests = tuple(digest_of(layer) for layer in layers)
    annotations = table.get("annotations")
    named = annotations.get(NAMED) if isinstance(annotations, dict) else None
    package = None if named is None else digest_of({"digest": named})
    kind = config.get("mediaType") if isinstance(config, dict) else None
    return Pulled(digest_of(config), str(kind), digests, titles, package)


def digest_of(descriptor: object) -> bytes:
    """The SHA-256 that a descriptor names."""
    text = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(text, str) or not text.startswith("sha256:"):
        raise Malformed(Reason.ALGORITHM, "OCI descriptor: digest")
    return unhex(text.removeprefix("sha256:"), "OCI descriptor: digest", size=32)


def _title(layer: object) -> str | None:
    annotations = layer.get("annotations") if isinstance(layer, dict) else None
    title = annotations.get(TITLE) if isinstance(annotations, dict) else None
    if title is None:
        return None
    if not isinstance(title, str) or not all(valid_name(part) for part in title.split("/")):
        raise Malformed(Reason.SYNTAX, "OCI manifest: title")
    return title


def _dump(value: object) -> bytes:
    return stdlib_json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
