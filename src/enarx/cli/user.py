# SPDX-License-Identifier: Apache-2.0
"""`enarx user`: log in, and the user that one is in a Drawbridge."""

from __future__ import annotations

import os
import ssl
import sys
from enum import StrEnum
from typing import Annotated

import typer

from enarx.cli.reach import OIDC_DOMAIN, AuthToken, CaBundle, Helper, Json, OidcDomain, Reach, say, text
from enarx.errors import Misused, Reason
from enarx.registry import name
from enarx.registry.credential import Credentials, identifier
from enarx.registry.login import Provider, claimed_subject

CLIENT_ID = "4NuaJxkQv8EZBeJKE56R57gKJbxrTLG2"
"""Upstream's public client."""
SECRET = "ENARX_OIDC_CLIENT_SECRET"  # noqa: S105 - the variable's name

Spec = Annotated[str, typer.Argument(help="[HOST/]USER")]
StoreHost = Annotated[str, typer.Option(help="The Drawbridge that the token is for.")]


class Flow(StrEnum):
    """How to log in."""

    DEVICE = "device"
    CLIENT = "client"


def register(
    spec: Spec,
    subject: Annotated[str | None, typer.Option(help="Your subject, if the token does not say it.")] = None,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,
) -> int:
    """Create a user for the subject of your token."""
    found = name.parse_user(spec)
    reach = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper)
    token = reach.token(found.host)
    if token is None:
        raise Misused(Reason.UNAUTHENTICATED, "not logged in", hint=f"enarx user login --store-host {found.host}")
    subject = subject or claimed_subject(token)
    if subject is None and oidc_domain == OIDC_DOMAIN:
        raise Misused(Reason.MISSING, "the token does not say its subject", hint="--subject NAME, or --oidc-domain URL")
    subject = subject or Provider(oidc_domain, _context(reach)).subject(token)
    with reach.drawbridge(found.host) as drawbridge:
        drawbridge.create_user(found.url(), subject)
    if json_:
        say({"subject": subject})
    return 0


def info(
    spec: Spec,
    ca_bundle: CaBundle = None,
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    insecure_auth_token: AuthToken = None,
    credential_helper: Helper = None,
    json_: Json = False,  # noqa: ARG001 - it is JSON, as upstream's is
) -> int:
    """Show a user."""
    found = name.parse_user(spec)
    reach = Reach(ca_bundle, oidc_domain, insecure_auth_token, credential_helper)
    with reach.drawbridge(found.host) as drawbridge:
        say(drawbridge.record(found.url()))
    return 0


def login(
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    oidc_client_id: Annotated[str, typer.Option(help="Client that the provider knows.")] = CLIENT_ID,
    oidc_flow: Annotated[
        Flow, typer.Option(help="`client` reads its secret from ENARX_OIDC_CLIENT_SECRET.")
    ] = Flow.DEVICE,
    credential_helper: Helper = None,
    store_host: StoreHost = name.DEFAULT_HOST,
    ca_bundle: CaBundle = None,
    json_: Json = False,
) -> int:
    """Log in with an OpenID Connect provider; the token is kept in the keyring or by the helper."""
    provider = Provider(oidc_domain, _context(Reach(ca_bundle, oidc_domain, None, credential_helper)))
    audience = f"https://{store_host}/"
    if oidc_flow is Flow.CLIENT:
        secret = os.environ.get(SECRET)
        if not secret:
            raise Misused(Reason.MISSING, f"the client's secret in {SECRET}")
        token = provider.client_credentials(oidc_client_id, secret, audience)
    else:
        pending = provider.begin(oidc_client_id, audience)
        print(f"open {_plain(pending.complete or pending.uri)}", file=sys.stderr)
        print(f"and confirm the code {_plain(pending.user_code)}", file=sys.stderr, flush=True)
        token = provider.finish(oidc_client_id, pending)
    kept = identifier(oidc_domain, store_host)
    Credentials(credential_helper).keep(kept, token)
    say({"credential": kept}) if json_ else print("Login successful.")
    return 0


def logout(
    oidc_domain: OidcDomain = OIDC_DOMAIN,
    credential_helper: Helper = None,
    store_host: StoreHost = name.DEFAULT_HOST,
    json_: Json = False,
) -> int:
    """Forget the token."""
    kept = identifier(oidc_domain, store_host)
    Credentials(credential_helper).forget(kept)
    if json_:
        say({"credential": kept})
    return 0


def _context(reach: Reach) -> ssl.SSLContext:
    """The provider's TLS: what this machine trusts, and the CAs typed."""
    context = ssl.create_default_context()
    ca = reach.ca()
    if ca is not None:
        try:
            context.load_verify_locations(cadata=text(ca, "--ca-bundle"))
        except ssl.SSLError:
            raise Misused(Reason.SYNTAX, "--ca-bundle: not PEM") from None
    return context


def _plain(said: str) -> str:
    """A stranger's words without control characters."""
    return "".join(one if one.isprintable() else "?" for one in said)[:500]
