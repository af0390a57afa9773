# SPDX-License-Identifier: Apache-2.0
"""`enarx drawbridge serve`: the registry, as a service of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enarx.errors import Misused, Reason


def serve(
    store: Annotated[Path, typer.Option(help="Folder that keeps the packages.")],
    addr: Annotated[str, typer.Option(help="HOST:PORT to listen on; port 0 takes one that is free.")] = "127.0.0.1:0",
    cert: Annotated[Path | None, typer.Option(help="PEM of the service's certificate and its issuers.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM of its key.")] = None,
    ca: Annotated[
        Path | None, typer.Option(help="PEM of the Steward's CAs: a Keep's certificate opens the package it names.")
    ] = None,
    oidc_issuer: Annotated[str | None, typer.Option(help="OpenID Connect provider whose tokens name users.")] = None,
    oidc_audience: Annotated[str | None, typer.Option(help="Audience that its tokens must have.")] = None,
    oidc_ca: Annotated[
        Path | None, typer.Option(help="PEM of the CA of the provider's TLS, if it is not public.")
    ] = None,
    database: Annotated[str, typer.Option(help="SQLAlchemy URL; default: SQLite in the store.")] = "",
    quota: Annotated[int, typer.Option(help="Bytes that one subject may store.")] = 10_000_000_000,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    insecure_static_tokens: Annotated[
        Path | None, typer.Option(help="File of lines TOKEN SUBJECT: tokens that never expire, for tests only.")
    ] = None,
    unsafe_any_client_certificate: Annotated[
        bool, typer.Option(help="As upstream: every certificate of --ca reads every private package.")
    ] = False,
    insecure_plain_http: Annotated[bool, typer.Option(help="Serve without TLS, behind a proxy that has it.")] = False,
) -> int:
    """Serve packages over HTTPS until a signal."""
    from enarx.registry.service import create, limits
    from enarx.registry.settings import Settings, read_static_tokens
    from enarx.web.serve import Settings as Listening
    from enarx.web.serve import serve as listen
    from enarx.web.tls import TlsFiles

    settings = Settings(
        store=store,
        database=database,
        oidc_issuer=oidc_issuer,
        oidc_audience=oidc_audience,
        oidc_ca=oidc_ca,
        static_tokens=read_static_tokens(insecure_static_tokens),
        any_certificate=unsafe_any_client_certificate,
        quota=quota,
    )
    if (cert is None) != (key is None) or (cert is None) != insecure_plain_http:
        raise Misused(Reason.USAGE, "a service has --cert and --key", hint="or --insecure-plain-http behind a proxy")
    tls = TlsFiles(certificate=cert, key=key, clients=ca) if cert and key else None
    host, port = _address(addr)
    listening = Listening(name="drawbridge", host=host, port=port, tls=tls, limits=limits(settings), workers=workers)
    return listen(lambda: create(settings), listening)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise Misused(Reason.SYNTAX, f"--addr {text!r}: not HOST:PORT")
    return host.strip("[]") or "::", int(port)
