# SPDX-License-Identifier: Apache-2.0
"""`enarx platform info`: which kinds of Keep this machine can open, and what it lacks for the others."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from enarx.platform.device import look
from enarx.platform.needs import Datum, Finding, findings


def info(
    json_: Annotated[bool, typer.Option("-j", "--json", help="Print JSON.")] = False,
) -> int:
    """Look at this machine and say what is there."""
    machine = look()
    found = findings(machine)
    if json_:
        backends = [one.table() for one in found]
        print(json.dumps({"version": version("enarx"), "system_info": machine.system, "backends": backends}))
        return 0
    print(f"Enarx version {version('enarx')}")
    print(f"System Info: {machine.system}")
    for one in found:
        print("\n".join(_lines(one)))
    return 0


def _lines(found: Finding) -> list[str]:
    every = (*found.data, *found.config)
    lines = [f"{_mark(found.available() and found.configured())} Backend: {found.backend}"]
    lines += [f"  {_named(one)}" for one in every]
    lines += [f"  {one.mesg}" for one in every if one.mesg]
    return lines


def _named(one: Datum) -> str:
    name = one.name.lstrip(" ")
    said = f"{_mark(one.passed)} {name}" + (f": {one.info}" if one.info else "")
    return "  " * (len(one.name) - len(name)) + said


def _mark(passed: bool) -> str:
    mark = "✔" if passed else "✗"
    try:
        mark.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return "+" if passed else "-"
    return mark
