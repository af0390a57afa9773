# SPDX-License-Identifier: Apache-2.0
"""What a tenant orders: a package resolved to its digest, and the launch document that names it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.cli.files import read, write
from enarx.cli.limits import limits as parsed_limits
from enarx.cli.reach import local
from enarx.cli.references import public_key
from enarx.codec.digest import sha256, unhex
from enarx.codec.x509 import from_pem
from enarx.errors import Misused, Reason
from enarx.keep.native_part import PREFIX, part_digest
from enarx.registry import name as names
from enarx.registry.client import Drawbridge
from enarx.registry.connection import client_context
from enarx.workload import manifest as manifests
from enarx.workload import signature
from enarx.workload.launch import Launch
from enarx.workload.manifest import Manifest, Stderr, Stdin, Stdout
from enarx.workload.package import MANIFEST, MODULE, Package

MAX_PEM = 1 << 20


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed."""

    package: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    steward: str | None
    steward_ca: Path | None
    ca_bundle: Path | None
    token: str | None
    digest: str | None
    tenant_key: Path | None
    secrets: tuple[str, ...] = ()
    resolver: str | None = None
    resolver_ca: Path | None = None
    package_signature: Path | None = None
    package_key: Path | None = None
    limits: Mapping[str, int] = {}


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """The launch document, and what travels beside it without being believed.

    cas    PEM of the CAs whose keys the document pins
    nodes  the package's nodes, when no registry has them
    """

    launch: Launch
    cas: bytes
    nodes: Mapping[str, bytes]


def place(wishes: Wishes) -> Placed:
    """Resolve the package, pin the services, and write the launch document."""
    if wishes.package.startswith(PREFIX):
        return _part(wishes)
    package, source = _resolve(wishes)
    manifest = manifests.parse(package.manifest)
    steward = wishes.steward or manifest.steward
    if steward is None:
        raise Misused(Reason.MISSING, "a Steward", hint="--steward URL, or `steward` in Enarx.toml")
    steward_pem = _pem(wishes.steward_ca, "--steward-ca")
    source_pem = _pem(wishes.ca_bundle, "--ca-bundle") if source else b""
    resolver_pem = _pem(wishes.resolver_ca, "--resolver-ca") if wishes.resolver_ca else b""
    signed, signer = _signed(wishes)
    launch = Launch(
        package=package.digest,
        tenant=_tenant(wishes.tenant_key),
        deployment=secrets.token_bytes(16),
        steward=steward,
        steward_ca=_spki(steward_pem, "--steward-ca"),
        source=source,
        source_ca=_spki(source_pem, "--ca-bundle") if source else None,
        args=wishes.arguments,
        env=wishes.environment,
        stdio=stdio_of(manifest),
        secrets=wishes.secrets,
        resolver=wishes.resolver,
        resolver_ca=_spki(resolver_pem, "--resolver-ca") if resolver_pem else None,
        limits=dict(wishes.limits),
        signature=signed,
        signer=signer,
    )
    return Placed(
        launch=launch,
        cas=steward_pem + source_pem + resolver_pem,
        nodes={} if source else {"": package.root, **package.nodes},
    )


def _signed(wishes: Wishes) -> tuple[bytes | None, bytes | None]:
    """The package's signature and the key that made it, for a Keep that must know its signer."""
    if wishes.package_signature is None and wishes.package_key is None:
        return None, None
    if wishes.package_signature is None or wishes.package_key is None:
        raise Misused(Reason.USAGE, "--package-signature and --package-key go together")
    signer, _ = public_key(wishes.package_key)
    return read(wishes.package_signature, limit=signature.MAX_BYTES), signer


def _part(wishes: Wishes) -> Placed:
    """A service that is a part of the Keep's image. Nothing steers it but what the tenant releases to it."""
    typed = {
        "--steward": wishes.steward,
        "--env": wishes.environment,
        "arguments": wishes.arguments,
        "--await-secret": wishes.secrets,
        "--resolver": wishes.resolver,
    }
    if given := [name for name, value in typed.items() if value]:
        raise Misused(Reason.USAGE, f"{wishes.package} with {given[0]}", hint="its settings go with `enarx release`")
    digest = part_digest(wishes.package)
    if wishes.digest is not None and unhex(wishes.digest, "--digest", size=32) != digest:
        raise Misused(Reason.DIGEST_MISMATCH, f"{wishes.package}: its digest is {digest.hex()}")
    launch = Launch(
        package=digest,
        tenant=_tenant(wishes.tenant_key),
        deployment=secrets.token_bytes(16),
        source=wishes.package,
    )
    return Placed(launch=launch, cas=b"", nodes={})


def environment(pairs: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE pairs as a table."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise Misused(Reason.SYNTAX, f"--env {pair!r}", hint="--env NAME=VALUE")
        found[key] = value
    return found


def limits(pairs: Sequence[str]) -> dict[str, int]:
    """NAME=N pairs as a launch document has them: whole numbers alone."""
    found = parsed_limits(pairs)
    if broken := next((name for name, number in found.items() if isinstance(number, float)), None):
        raise Misused(Reason.UNKNOWN_VALUE, f"--limit {broken}: a launch document has whole numbers")
    return {name: int(number) for name, number in found.items()}


def stdio_of(manifest: Manifest) -> dict[str, str]:
    """Which of the host's streams the manifest asks for."""
    wanted: dict[str, str] = {}
    for file in manifest.files:
        match file:
            case Stdin() if manifest.input_from_host:
                wanted["stdin"] = "host"
            case Stdout():
                wanted["stdout"] = "host"
            case Stderr():
                wanted["stderr"] = "host"
    return wanted


def _resolve(wishes: Wishes) -> tuple[Package, str | None]:
    """The package, every digest checked, and the URL of its tag unless it is a local folder."""
    digest = None if wishes.digest is None else unhex(wishes.digest, "--digest", size=32)
    text = wishes.package
    if text.startswith("http:"):
        raise Misused(Reason.USAGE, "http: anyone on the way can change it", hint="https://…")
    if text.startswith("file:"):
        package = folder(Path(text.removeprefix("file:")))
        if digest is not None and package.digest != digest:
            raise Misused(Reason.DIGEST_MISMATCH, f"{text}: its digest is {package.digest.hex()}")
        return package, None
    url = names.package_url(text)
    context = client_context(ca=_pem(wishes.ca_bundle, "--ca-bundle"))
    with Drawbridge(context, token=wishes.token) as registry:
        return registry.fetch(url, digest), url


def folder(path: Path) -> Package:
    """The package of a local folder, which has both `main.wasm` and `Enarx.toml`, as upstream asks."""
    if path.is_dir() and not ((path / MODULE).is_file() and (path / MANIFEST).is_file()):
        raise Misused(Reason.FILE_UNREADABLE, f"{path}: {MODULE} and {MANIFEST} are needed")
    return local(path)


def _pem(path: Path | None, option: str) -> bytes:
    if path is None:
        raise Misused(Reason.USAGE, f"{option} is needed: the launch document pins that CA", hint=f"{option} FILE.pem")
    return read(path, limit=MAX_PEM)


def _spki(pem: bytes, option: str) -> bytes:
    """The digest of a CA's key, as a launch document pins it."""
    return sha256(from_pem(pem, option)[0].spki)


def tenant_file(path: Path | None) -> Path:
    """Where the tenant's key is, unless it was typed."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    return path or base / "enarx" / "tenant.pem"


def _tenant(path: Path | None) -> bytes:
    """The tenant's public key; a new key is made where there is none."""
    path = tenant_file(path)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write(path, made, mode=0o600)
    try:
        key = serialization.load_pem_private_key(read(path, limit=MAX_PEM), None)
    except (ValueError, TypeError):
        raise Misused(Reason.KEY_INVALID, f"{path}: not an unencrypted PEM private key") from None
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
