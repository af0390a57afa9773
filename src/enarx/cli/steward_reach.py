# SPDX-License-Identifier: Apache-2.0
"""How an administrator's verbs reach a Steward: their common options, and how they say what came of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from enarx.cli.files import read
from enarx.errors import Misused, Reason
from enarx.identity.admin_client import AdminClient

Url = Annotated[str, typer.Option("--steward", envvar="ENARX_STEWARD", help="The tenant's URL.", show_default=False)]
Ca = Annotated[Path | None, typer.Option(help="PEM of the CA of the Steward's TLS; this machine's CAs otherwise.")]
TokenFile = Annotated[
    Path | None, typer.Option(help="File with your token.", show_default="~/.config/enarx/steward.token")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def reached(url: str, ca: Path | None, token_file: Path | None) -> AdminClient:
    """A client; `Misused` when one cannot be made of what was typed."""
    if not url:
        raise Misused(Reason.USAGE, "which steward", hint="--steward URL, or ENARX_STEWARD")
    base = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    token = read(token_file or base / "enarx" / "steward.token", limit=4096).decode("ascii", "replace").strip()
    if not token or not token.isascii() or any(one.isspace() for one in token):
        raise Misused(Reason.SYNTAX, f"{token_file or 'steward.token'}: not a token", hint="enarx steward token NAME")
    return AdminClient(url, token, ca_pem=read(ca, limit=1 << 20).decode("ascii", "replace") if ca else None)


def say(value: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(msgspec.to_builtins(value), indent=2))


def moment(seconds: float | None) -> str:
    """A time as people read it, UTC."""
    return "-" if not seconds else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def table(rows: list[tuple[str, ...]]) -> None:
    """Rows under a heading, in columns."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
