# SPDX-License-Identifier: Apache-2.0
"""Directories, entries, headers and signatures of packages, and names as they are typed."""

from __future__ import annotations

import contextlib

import driver
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.codec.digest import sha256
from enarx.errors import Misused
from enarx.registry import name, oci
from enarx.registry.meta import content_digest, parse_content_digest
from enarx.workload import signature
from enarx.workload.package import build, from_nodes
from enarx.workload.tree import encode_directory, parse_directory, parse_entry

KEY = ec.derive_private_key(1, ec.SECP256R1())
PACKAGE = build({"main.wasm": b"\0asm\1\0\0\0", "data/a": b"a"})
SIGNED = signature.sign(PACKAGE.entry, KEY, security_version=1)


def target(data: bytes) -> None:
    """Every way in which bytes from a stranger reach a package or its signature."""
    with driver.families():
        entries = parse_directory(data)
        assert parse_directory(encode_directory(entries)) == entries  # noqa: S101
    with driver.families():
        parse_entry(data)
    with driver.families():
        from_nodes({**PACKAGE.nodes, "data": data}, PACKAGE.root, PACKAGE.digest)
    with driver.families():
        from_nodes(PACKAGE.nodes, data, sha256(data))
    with driver.families():
        signature.verify(data, (KEY.public_key(),))
    with driver.families():
        oci.parse(data)
    text = data.decode("latin-1")
    with driver.families():
        content_digest(parse_content_digest(text))
    for parse in (name.package_url, name.parse_repository, name.parse_user, oci.parse_reference):
        with contextlib.suppress(Misused):
            parse(text)


if __name__ == "__main__":
    header = content_digest(PACKAGE.entry.digest).encode()
    names = (b"127.0.0.1:8443/alice/app:1.0.0", b"https://h/api/v0.1.0/a/b/_tag/1.0.0", b"h/a/b:latest")
    manifests = (oci.artifact(PACKAGE).raw, oci.package(PACKAGE, oci.artifact(PACKAGE)).raw)
    driver.main(
        target, (PACKAGE.root, PACKAGE.nodes["data"], PACKAGE.entry.encoded(), SIGNED, header, *names, *manifests)
    )
