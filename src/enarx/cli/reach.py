# SPDX-License-Identifier: Apache-2.0
"""How the verbs reach a Drawbridge: their common options, and the client that these make."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from enarx.cli.files import read
from enarx.errors import Malformed, Misused, Reason
from enarx.registry import name
from enarx.registry.client import Drawbridge, connect
from enarx.registry.connection import client_context, host_of
from enarx.registry.credential import Credentials, identifier
from enarx.registry.oci import parse_reference
from enarx.registry.oci_client import OciRegistry
from enarx.workload.package import MANIFEST, MODULE, Package, build
from enarx.workload.tree import MAX_WASM

OIDC_DOMAIN = "https://auth.profian.com/"
"""Upstream's default; the service behind it is gone."""
MAX_PEM = 1 << 20
OCI = "oci://"
OCI_LOGIN = "ENARX_OCI_LOGIN"
"""USER:PASSWORD at an OCI registry."""

CaBundle = Annotated[Path | None, typer.Option(envvar="ENARX_CA_BUNDLE", help="PEM of the CAs to trust.")]
OidcDomain = Annotated[str, typer.Option(envvar="ENARX_OIDC_DOMAIN", help="OpenID Connect provider.")]
AuthToken = Annotated[
    str | None, typer.Option(envvar="ENARX_INSECURE_AUTH_TOKEN", help="Token, instead of the one that login kept.")
]
Helper = Annotated[str | None, typer.Option(envvar="ENARX_CREDENTIAL_HELPER", help="Program that keeps tokens.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Reach(msgspec.Struct, frozen=True):
    """What was typed to reach a Drawbridge."""

    ca_bundle: Path | None
    oidc_domain: str
    insecure_auth_token: str | None
    credential_helper: str | None

    def token(self, host: str) -> str | None:
        """The token typed, or the one that login kept for this host."""
        if self.insecure_auth_token is not None:
            return self.insecure_auth_token
        return Credentials(self.credential_helper).find(identifier(self.oidc_domain, host))

    def ca(self) -> bytes | None:
        """The CAs typed, PEM."""
        return None if self.ca_bundle is None else read(self.ca_bundle, limit=MAX_PEM)

    def drawbridge(self, host: str) -> Drawbridge:
        """A client of the Drawbridge at `host`."""
        return connect(ca=self.ca(), token=self.token(host))

    def fetch(self, spec: str, digest: bytes | None) -> Package:
        """The package at a slug, an https: URL of a tag, or oci://HOST/NAME:TAG."""
        if spec.startswith(OCI):
            with self._oci(spec) as registry:
                return registry.fetch(digest)
        url = name.package_url(spec)
        with self.drawbridge(host_of(url)) as drawbridge:
            return drawbridge.fetch(url, digest)

    def publish(self, spec: str, package: Package, jws: bytes | None) -> str:
        """Publish a package; its URL."""
        if spec.startswith(OCI):
            if jws is not None:
                raise Misused(Reason.USAGE, "--signature: signatures are kept by a Drawbridge")
            with self._oci(spec) as registry:
                registry.publish(package)
            return spec
        url = name.package_url(spec)
        with self.drawbridge(host_of(url)) as drawbridge:
            drawbridge.publish(url, package, jws=jws)
        return url

    def _oci(self, spec: str) -> OciRegistry:
        user, _, password = os.environ.get(OCI_LOGIN, "").partition(":")
        login = (user, password) if user else None
        return OciRegistry(parse_reference(spec), client_context(ca=self.ca()), login=login)


def local(path: Path) -> Package:
    """The package of a folder, or of a file main.wasm."""
    if not path.is_dir():
        if path.name != MODULE and path.exists():
            raise Misused(Reason.SYNTAX, f"invalid file name: {path}", hint=f"a file to publish is named {MODULE}")
        return build({MODULE: read(path, limit=MAX_WASM)})
    files: dict[str, bytes] = {}
    for one in sorted(path.rglob("*")):
        where = one.relative_to(path).as_posix()
        if one.is_symlink() or not (one.is_file() or one.is_dir()):
            raise Misused(Reason.UNKNOWN_KIND, f"{one}: neither a file nor a folder")
        if one.is_file():
            files[where] = read(one, limit=MAX_WASM)
    return build(files)


def require_manifest(package: Package, where: Path) -> None:
    """The package's Enarx.toml is one, so that nobody publishes what no Keep would run."""
    from enarx.workload import manifest

    manifest.parse(package.manifest, where=str(where / MANIFEST))


def say(value: object) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def write_bytes(raw: bytes, out: Path | None, *, mode: int = 0o644) -> None:
    """To a file, or to standard output."""
    if out is None:
        sys.stdout.buffer.write(raw)
        sys.stdout.flush()
        return
    from enarx.cli.files import write

    write(out, raw, mode=mode)


def text(raw: bytes, what: str) -> str:
    """UTF-8 as text."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed(Reason.SYNTAX, f"{what}: not UTF-8") from None
