# SPDX-License-Identifier: Apache-2.0
"""`enarx steward token|tenant|revoke|audit`: who may administrate, and what an administrator does beside policies."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from enarx.cli.steward_reach import Ca, Json, TokenFile, Url, moment, reached, say, table
from enarx.codec.digest import sha256
from enarx.errors import Misused, Reason
from enarx.identity.administration import REASONS, Revocation
from enarx.identity.settings import write_private


def token(
    name: Annotated[str, typer.Argument(help="The administrator.")],
    out: Annotated[
        Path | None,
        typer.Option(help="A new file for the token, which is a secret.", show_default="~/.config/enarx/steward.token"),
    ] = None,
) -> int:
    """Make a token. What the Steward has to know of it, no secret, goes to standard output."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    path = out or base / "enarx" / "steward.token"
    if not name or len(name) > 63 or not name.isprintable() or '"' in name or "\\" in name:
        raise Misused(Reason.SYNTAX, f"name {name[:63]!r}")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = secrets.token_urlsafe(32)
    write_private(path, made.encode() + b"\n")
    print(f'[[administrator]]\nname = "{name}"\ntoken_sha256 = "{sha256(made.encode()).hex()}"')
    return 0


def tenant(steward: Url = "", ca: Ca = None, token_file: TokenFile = None, json_: Json = False) -> int:
    """Show whose Steward it is: trust domain, CA, roots, administrators, and who you are there."""
    with reached(steward, ca, token_file) as office:
        found = office.tenant()
    if json_:
        say(found)
        return 0
    table(
        [
            ("tenant", found.name),
            ("hosts", ", ".join(found.hosts) or "any"),
            ("trust domain", found.trust_domain),
            ("ca", f"{found.ca}, until {found.ca_expires}"),
            ("ca key", f"sha256 {found.ca_spki_sha256}"),
            ("roots", found.anchors),
            ("administrators", ", ".join(found.administrators)),
            ("a policy needs", f"{found.persons} of them"),
            ("you are", found.you),
        ]
    )
    return 0


def revoke(
    serial: Annotated[str | None, typer.Option(help="Of one certificate, hexadecimal.")] = None,
    measurement: Annotated[str | None, typer.Option(help="Of an image, hexadecimal.")] = None,
    package: Annotated[str | None, typer.Option(help="Digest of a package, hexadecimal.")] = None,
    launch: Annotated[str | None, typer.Option(help="Digest of a launch document, hexadecimal.")] = None,
    platform: Annotated[str | None, typer.Option(help="Of a processor (CHIP_ID, PPID, …), hexadecimal.")] = None,
    policy: Annotated[str | None, typer.Option(help="Name of a policy.")] = None,
    reason: Annotated[str, typer.Option(help=", ".join(REASONS))] = "unspecified",
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """Revoke the live certificates that match everything given; exit 1 when there is none."""
    wanted = Revocation(
        serial=_hex(serial, "--serial"),
        measurement=_hex(measurement, "--measurement"),
        package=_hex(package, "--package"),
        launch=_hex(launch, "--launch"),
        platform=_hex(platform, "--platform"),
        policy=policy,
        reason=reason,
    )
    with reached(steward, ca, token_file) as office:
        count = office.revoke(wanted)
    say({"count": count}) if json_ else print(f"{count} certificates revoked")
    return 0 if count else 1


def audit(
    last: Annotated[int, typer.Option(help="How many.", min=1, max=256)] = 100,
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """Show the last refusals, newest first. What was issued is in the log: `enarx log verify --full`."""
    with reached(steward, ca, token_file) as office:
        found = office.refusals(last)
    if json_:
        say(found)
        return 0
    rows: list[tuple[str, ...]] = [("time", "policy", "technology", "family", "reason", "what", "request")]
    for one in found:
        said = [str(one.get(key) or "-") for key in ("policy", "technology", "family", "reason", "subject", "request")]
        rows.append((moment(one.get("time")), *said))
    table(rows)
    return 0


def _hex(text: str | None, option: str) -> str | None:
    if text is None:
        return None
    cleaned = text.lower().replace(":", "")
    try:
        bytes.fromhex(cleaned)
    except ValueError:
        raise Misused(Reason.SYNTAX, f"{option}: not hexadecimal digits, two a byte") from None
    return cleaned
