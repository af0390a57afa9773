# SPDX-License-Identifier: Apache-2.0
"""`enarx steward serve`: the attesting certificate authority, as a service of its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.anchors import anchors as chosen_anchors
from enarx.errors import Misused, Reason
from enarx.evidence.anchor import PRODUCTION
from enarx.identity.settings import Settings, TenantSettings, TlsChoice


def serve(
    policy: Annotated[
        list[Path] | None,
        typer.Option("--policy", "--config", help="A policy file; several are chosen from by name, or by workload."),
    ] = None,
    trust_domain: Annotated[str, typer.Option(help="SPIFFE trust domain of the identities.")] = "",
    tenants: Annotated[
        Path | None,
        typer.Option(help="TOML of several tenants, each with a CA, hosts and policies of its own, instead of --crt …"),
    ] = None,
    crt: Annotated[
        Path | None,
        typer.Option("--crt", "-c", envvar="STEWARD_CRT", help="PEM of the CA's certificate and its issuers."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", "-k", envvar="STEWARD_KEY", help="PEM of the CA's key, PKCS#8.")
    ] = None,
    addr: Annotated[str, typer.Option("--addr", "-a", envvar="ROCKET_ADDRESS", help="Address to listen on.")] = "::",
    port: Annotated[int, typer.Option("--port", "-p", envvar="ROCKET_PORT", help="Port; 0 takes a free one.")] = 3000,
    database: Annotated[
        str, typer.Option(help="sqlite:///FILE or postgresql+psycopg://…; by default SQLite, gone when this ends.")
    ] = "",
    anchors: Annotated[Path | None, typer.Option(help="Folder of roots to believe instead of the vendors'.")] = None,
    unsafe_anchors: Annotated[bool, typer.Option("--unsafe-anchors", help="Say that this is wanted.")] = False,
    san: Annotated[
        list[str] | None, typer.Option(envvar="STEWARD_SAN", help="A DNS name that certificates have.")
    ] = None,
    lifetime: Annotated[float, typer.Option(help="Hours that a certificate lives, at most.")] = 24.0,
    host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="RENDER_EXTERNAL_HOSTNAME",
            help="A name or address by which clients reach this; without --crt and --key a CA is made for this run.",
        ),
    ] = None,
    legacy_policy: Annotated[
        Path | None, typer.Option(help="Judge requests of Enarx 0.7 by this policy; without it they are refused.")
    ] = None,
    legacy_crt: Annotated[Path | None, typer.Option(help="PEM of the CA for them; by default one is made.")] = None,
    legacy_key: Annotated[Path | None, typer.Option(help="PEM of its key.")] = None,
    tls_crt: Annotated[Path | None, typer.Option(help="PEM of another TLS certificate than the CA's own.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="PEM of its key.")] = None,
    insecure_plain_http: Annotated[bool, typer.Option(help="Serve without TLS, behind a proxy that has it.")] = False,
    key_passphrase_file: Annotated[Path | None, typer.Option(help="File with the passphrase of --key.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.", min=1, max=64)] = 1,
    url: Annotated[str, typer.Option(help="Where clients find this, for the pointers in certificates.")] = "",
    log_key: Annotated[
        Path | None, typer.Option(help="PEM of the log's Ed25519 key; made when absent. By default beside --key.")
    ] = None,
    legacy_intermediates: Annotated[
        Path | None, typer.Option(help="PEM of vendors' intermediates that requests of Enarx 0.7 do not carry.")
    ] = None,
    administrators: Annotated[
        Path | None, typer.Option(help="TOML of who may change policies: [[administrator]] name, token_sha256.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose Steward this is, where several share a database.")] = "default",
    log_origin: Annotated[
        str, typer.Option(help="Name of the log; by default TRUST-DOMAIN/log. One database has one log.")
    ] = "",
    persons: Annotated[int, typer.Option(help="How many have to want a change of policy.", min=1, max=2)] = 1,
    rate: Annotated[float, typer.Option(help="Requests a second by one client address; 0 is no limit.")] = 0.0,
) -> int:
    """Serve until a signal; print `steward: listening on URL` when requests are answered."""
    from enarx.identity.main import run

    if (tls_crt is None) != (tls_key is None):
        raise Misused(Reason.USAGE, "--tls-crt and --tls-key go together")
    alone = TenantSettings(
        name=tenant,
        trust_domain=trust_domain,
        certificate=crt,
        key=key,
        passphrase=key_passphrase_file,
        anchors=chosen_anchors(anchors, unsafe=unsafe_anchors),
        policies=tuple(policy or ()),
        dns=tuple(san or ()),
        lifetime=timedelta(hours=lifetime),
        names=tuple(host or ()),
        url=url.rstrip("/"),
        administrators=administrators,
        persons=persons,
        legacy_policy=legacy_policy,
        legacy_certificate=legacy_crt,
        legacy_key=legacy_key,
        legacy_intermediates=legacy_intermediates,
    )
    settings = Settings(
        tenants=_several(tenants, alone) if tenants is not None else (_complete(alone),),
        database=database,
        host=addr,
        port=port,
        tls=TlsChoice(certificate=tls_crt, key=tls_key, plain=insecure_plain_http),
        workers=workers,
        rate=rate,
        log_key=log_key,
        log_origin=log_origin,
    )
    return run(settings)


def _complete(alone: TenantSettings) -> TenantSettings:
    if not alone.policies or not alone.trust_domain:
        raise Misused(Reason.USAGE, "a steward has --policy and --trust-domain", hint="or --tenants FILE")
    return alone


def _several(file: Path, typed: TenantSettings) -> tuple[TenantSettings, ...]:
    """The tenants of a file; what is a tenant's own stands there, and nowhere else."""
    from enarx.cli.steward_tenants import load

    nothing = TenantSettings(trust_domain="", certificate=None, key=None, policies=(), anchors=typed.anchors)
    if typed != nothing or typed.anchors.name != PRODUCTION:
        raise Misused(
            Reason.USAGE, "--tenants beside the options of one tenant", hint="a tenant's own settings stand in the file"
        )
    return load(file)
