# SPDX-License-Identifier: Apache-2.0
"""`enarx package`: what a package holds, publish it, fetch it, sign it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.reach import (
    OCI,
    OIDC_DOMAIN,
    AuthToken,
    CaBundle,
    Helper,
    Json,
    OidcDomain,
    Reach,
    local,
    require_manifest,
    say,
    write_bytes,
)
from enarx.codec.digest import unhex
from enarx.errors import Misused, Reason
from enarx.registry import name
from enarx.registry.connection import host_of

Spec = Annotated[str, typer.Argument(help="[HOST/]USER/REPO:TAG, the https: URL of a tag, or oci://HOST/NAME:TAG.")]
Digest = Annotated[str | None, typer.Option(help="The package's digest, hexadecimal: get this one or nothing.")]


def info(
    spec: Annotated[str, typer.Argument(help="[HOST/]USER/REPO:TAG, an https: URL, or a local folder or main.wasm.")],
    contents: Annotated[
        bool, typer.Option("--contents", help="Fetch it, and show what it holds, imports and is granted.")
    ] = False,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,
) -> int:
    """Show a published package's entry; or of a local one what it holds, imports and is granted."""
    from enarx.cli.contents import of, shown

    here = Path(spec)
    if here.exists():
        found = of(local(here))
        say(found) if json_ else print(shown(found))
        return 0
    reach = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper)
    if contents or spec.startswith(OCI):
        found = of(reach.fetch(spec, None))
        say(found) if json_ else print(shown(found))
        return 0
    url = name.package_url(spec)
    with reach.drawbridge(host_of(url)) as drawbridge:
        say(drawbridge.tag(url).entry.table())
    return 0


def publish(
    spec: Spec,
    path: Annotated[Path, typer.Argument(help="A folder with main.wasm, or main.wasm itself.")],
    signature: Annotated[Path | None, typer.Option(help="File that `enarx package sign` wrote.")] = None,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,
) -> int:
    """Publish a package; says its digest."""
    from enarx.cli.files import read
    from enarx.workload import signature as signatures

    package = local(path)
    require_manifest(package, path)
    jws = None if signature is None else read(signature, limit=signatures.MAX_BYTES)
    if jws is not None and signatures.parse(jws).payload != package.entry.encoded():
        raise Misused(Reason.DIGEST_MISMATCH, f"{signature}: signs another package")
    url = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper).publish(spec, package, jws)
    digest = package.digest.hex()
    say({"digest": digest, "url": url}) if json_ else print(digest)
    return 0


def fetch(
    spec: Spec,
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    digest: Digest = None,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,
) -> int:
    """Fetch a package into a new folder, every digest checked first; says its digest."""
    wanted = None if digest is None else unhex(digest, "--digest", size=32)
    if out.exists():
        raise Misused(Reason.ALREADY_EXISTS, f"{out}")
    package = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper).fetch(spec, wanted)
    _unfold(package.files(), out)
    found = package.digest.hex()
    say({"digest": found, "folder": str(out)}) if json_ else print(found)
    return 0


def _unfold(files: dict[str, bytes], out: Path) -> None:
    """Write the files into a folder that appears whole or not at all."""
    try:
        made = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{out}: {error.strerror}") from None
    try:
        for path, raw in files.items():
            target = made / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(raw)
        made.chmod(0o777 & ~_umask())
        made.rename(out)
    except OSError as error:
        raise Misused(Reason.FILE_UNWRITABLE, f"{out}: {error.strerror}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def sign(
    path: Annotated[Path, typer.Argument(help="A folder with main.wasm, or main.wasm itself.")],
    key: Annotated[Path, typer.Option(help="PEM of a P-256 or P-384 private key.")],
    security_version: Annotated[int, typer.Option(help="A number that grows with each release that closes a hole.")],
    out: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    json_: Json = False,  # noqa: ARG001 - the signature is JSON
) -> int:
    """Sign a package's digest: a JWS that `enarx package publish --signature` makes the tag."""
    from enarx.cli.key import read_ec
    from enarx.workload import signature

    jws = signature.sign(local(path).entry, read_ec(key), security_version=security_version)
    write_bytes(jws + (b"\n" if out is None else b""), out)
    return 0
