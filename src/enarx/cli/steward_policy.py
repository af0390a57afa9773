# SPDX-License-Identifier: Apache-2.0
"""`enarx steward policy`: what a running Steward accepts, and how that is changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from enarx.appraisal.policy import load
from enarx.cli.files import read
from enarx.cli.steward_reach import Ca, Json, TokenFile, Url, moment, reached, say, table
from enarx.identity.rulebook import Proposal, Version

_LIMIT = 1 << 20
File = Annotated[Path, typer.Argument(metavar="POLICY", help="The policy file.")]


def list_(steward: Url = "", ca: Ca = None, token_file: TokenFile = None, json_: Json = False) -> int:
    """List the policies in force; two of one name accept side by side until the older one ends."""
    with reached(steward, ca, token_file) as office:
        _told(office.in_force(), as_json=json_)
    return 0


def history(
    name: Annotated[str, typer.Argument(help="Of this policy alone.")] = "",
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """List every version that was ever proposed, newest first: by whom, and from when until when it accepts."""
    with reached(steward, ca, token_file) as office:
        _told([one for one in office.history() if name in {"", one.name}], as_json=json_)
    return 0


def show(
    key: Annotated[str, typer.Argument(metavar="NAME|NUMBER", help="A policy in force, or any version by its number.")],
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """Show the text of a version."""
    with reached(steward, ca, token_file) as office:
        found = office.document(key)
    say(found) if json_ else sys.stdout.write(found.text)
    return 0


def propose(
    policy: File,
    lifetime: Annotated[float, typer.Option(help="Hours that a certificate under it lives, at most.", min=0.1)] = 24.0,
    san: Annotated[list[str] | None, typer.Option(help="A DNS name that its certificates have.")] = None,
    overlap: Annotated[
        float, typer.Option(help="Seconds for which the version before it accepts too, once it is in force.", min=0)
    ] = 0.0,
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """Propose a policy. Where one person is enough it is in force at once."""
    text = _text(policy)
    with reached(steward, ca, token_file) as office:
        made = office.propose(Proposal(text=text, lifetime=lifetime, dns=tuple(san or ()), overlap=overlap))
    _became(made, as_json=json_)
    return 0


def approve(
    number: Annotated[int, typer.Argument(help="The version's number, as `history` says it.", min=1)],
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """Approve what another administrator proposed: it is in force from now on."""
    with reached(steward, ca, token_file) as office:
        made = office.approve(number)
    _became(made, as_json=json_)
    return 0


def retire(
    name: Annotated[str, typer.Argument(help="The policy that shall accept nothing any more.")],
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """End a policy."""
    with reached(steward, ca, token_file) as office:
        office.retire(name)
    say({"retired": name}) if json_ else print(f"policy {name}: retired")
    return 0


def dry_run(
    policy: File,
    last: Annotated[int, typer.Option(help="How many of the last requests.", min=1, max=256)] = 100,
    steward: Url = "",
    ca: Ca = None,
    token_file: TokenFile = None,
    json_: Json = False,
) -> int:
    """Judge the last requests by a policy that is not in force; exit 1 when it refuses what was accepted."""
    text = _text(policy)
    with reached(steward, ca, token_file) as office:
        tried = office.try_on(text, last)
    lost = [one for one in tried if one.was_accepted and not one.accepted]
    if json_:
        say(tried)
        return 1 if lost else 0
    rows: list[tuple[str, ...]] = [("time", "judged by", "then", "now", "why not")]
    for one in tried:
        then, now = ("accepted" if said else "refused" for said in (one.was_accepted, one.accepted))
        rows.append((moment(one.time), one.policy or "-", then, now, ": ".join(filter(None, (one.reason, one.detail)))))
    table(rows)
    gained = sum(one.accepted and not one.was_accepted for one in tried)
    print(f"{len(tried)} requests, {len(lost)} accepted then and refused now, {gained} the other way")
    return 1 if lost else 0


def _text(policy: Path) -> str:
    """The file's text, when it is a policy: what is wrong with it is said with its own name."""
    raw = read(policy, limit=_LIMIT)
    load(raw, str(policy))
    return raw.decode()


def _told(versions: list[Version], *, as_json: bool) -> None:
    if as_json:
        say(versions)
        return
    rows: list[tuple[str, ...]] = [
        ("number", "policy", "sha256", "proposed by", "approved by", "accepts from", "until")
    ]
    for one in versions:
        since = "waits for approval" if one.since is None else moment(one.since)
        rows.append(
            (
                str(one.id or "file"),
                one.name,
                one.digest[:16],
                one.proposed_by,
                one.approved_by or "-",
                since,
                moment(one.until),
            )
        )
    table(rows)


def _became(version: Version, *, as_json: bool) -> None:
    if as_json:
        say(version)
        return
    print(f"policy {version.name}, version {version.id}: {'in force' if version.since else 'waits for approval'}")
    if not version.since:
        print(f"hint: another administrator approves it: enarx steward policy approve {version.id}", file=sys.stderr)
