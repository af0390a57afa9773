# SPDX-License-Identifier: Apache-2.0
"""`enarx tree`: the digest that names a folder, and single nodes of published trees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.reach import (
    OIDC_DOMAIN,
    AuthToken,
    CaBundle,
    Helper,
    Json,
    OidcDomain,
    Reach,
    local,
    say,
    write_bytes,
)
from enarx.errors import Reason, Unacceptable
from enarx.keep.native_part import PREFIX, part_digest
from enarx.registry import name
from enarx.registry.client import Drawbridge
from enarx.registry.connection import host_of
from enarx.workload.tree import DIRECTORY, Entry, parse_directory

Spec = Annotated[str, typer.Argument(help="[HOST/]USER/REPO:TAG or the https: URL of a tag.")]


def digest(
    path: Annotated[Path, typer.Argument(help="A folder with main.wasm, or main.wasm itself; or image:steward.")],
    json_: Json = False,
) -> int:
    """Say the digest of the package that a folder or a module is."""
    part = str(path).startswith(PREFIX)
    found = (part_digest(str(path)) if part else local(path).digest).hex()
    say({"digest": found}) if json_ else print(found)
    return 0


def info(
    spec: Spec,
    path: Annotated[str, typer.Argument(help="Path inside the tree; default: the root.")] = "",
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,  # noqa: ARG001 - it is JSON, as upstream's is
) -> int:
    """Show what the tree says of a node: digests, length and type."""
    reach = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper)
    url = name.package_url(spec)
    with reach.drawbridge(host_of(url)) as drawbridge:
        say(_entry(drawbridge, url, path).table())
    return 0


def fetch(
    spec: Spec,
    path: Annotated[str, typer.Argument(help="Path inside the tree; default: the root.")] = "",
    out: Annotated[Path | None, typer.Option(help="File to write; default: standard output.")] = None,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,
) -> int:
    """Fetch one node; every digest from the tag down to it is checked first."""
    reach = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper)
    url = name.package_url(spec)
    with reach.drawbridge(host_of(url)) as drawbridge:
        entry = _entry(drawbridge, url, path)
        raw = drawbridge.node(url, path, entry)
    if not json_ or out is not None:
        write_bytes(raw, out)
    if json_:
        import base64

        content = {} if out is not None else {"content": base64.b64encode(raw).decode()}
        say({**entry.table(), **content})
    return 0


def _entry(drawbridge: Drawbridge, url: str, path: str) -> Entry:
    """Walk down from the tag, each directory checked before it is read."""
    entry, above = drawbridge.tag(url).entry, ""
    for part in filter(None, path.split("/")):
        if entry.type != DIRECTORY:
            raise Unacceptable(Reason.NOT_FOUND, f"node {path}: {above or 'the root'} is no directory")
        below = parse_directory(drawbridge.node(url, above, entry), f"directory {above}")
        if part not in below:
            raise Unacceptable(Reason.NOT_FOUND, f"node {path}")
        above, entry = f"{above}/{part}" if above else part, below[part]
    return entry
