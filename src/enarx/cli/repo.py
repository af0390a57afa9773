# SPDX-License-Identifier: Apache-2.0
"""`enarx repo`: create a repository of a Drawbridge, and look at it."""

from __future__ import annotations

from typing import Annotated

import typer

from enarx.cli.reach import OIDC_DOMAIN, AuthToken, CaBundle, Helper, Json, OidcDomain, Reach, say
from enarx.registry import name

Spec = Annotated[str, typer.Argument(help="[HOST/]USER/REPO")]


def register(
    spec: Spec,
    private: Annotated[
        bool, typer.Option("--private", help="Only you, and Keeps with the certificate of a package, may read it.")
    ] = False,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,
) -> int:
    """Create a repository; public, as upstream's are, unless --private."""
    found = name.parse_repository(spec)
    reach = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper)
    with reach.drawbridge(found.host) as drawbridge:
        drawbridge.create_repository(found.url(), public=not private)
    if json_:
        say({"public": not private})
    return 0


def info(
    spec: Spec,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,  # noqa: ARG001 - it is JSON, as upstream's is
) -> int:
    """Show a repository and its tags."""
    found = name.parse_repository(spec)
    reach = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper)
    with reach.drawbridge(found.host) as drawbridge:
        config = drawbridge.record(found.url())
        tags = drawbridge.record(found.url("_tag"))
    say({"config": config, "tags": tags})
    return 0
