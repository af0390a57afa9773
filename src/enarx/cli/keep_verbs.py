# SPDX-License-Identifier: Apache-2.0
"""`enarx keep`: the Keeps that this user has open on this machine."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from enarx.errors import Undetermined
from enarx.platform import keeps

Keep = Annotated[str, typer.Argument(help="A Keep's identifier, as `enarx keep list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def list_(as_json: AsJson = False) -> None:
    """List the Keeps that are open."""
    found = []
    for keep in keeps.listed():
        try:
            found.append({"keep": keep, **keeps.ask(keep, "inspect")})
        except Undetermined as error:
            found.append({"keep": keep, "state": str(error)})
    if as_json:
        print(json.dumps(found))
        return
    for one in found:
        print(one["keep"], one.get("backend", "?"), one.get("state", "?"), one.get("package", ""), sep="\t")


def inspect(keep: Keep) -> None:
    """Show what a Keep was opened for, where it can be reached, and how it is held."""
    print(json.dumps({"keep": keep, **keeps.ask(keep, "inspect")}, indent=2))


def logs(keep: Keep) -> None:
    """Show the end of a machine's console: kernel and agent, never the program's output. Untrusted text."""
    text = str(keeps.ask(keep, "logs"))
    sys.stdout.write("".join(one if one.isprintable() or one in "\n\t" else "?" for one in text))


def stop(keep: Keep) -> None:
    """Ask a Keep to end its program and itself."""
    keeps.ask(keep, "stop")
