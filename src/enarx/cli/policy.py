# SPDX-License-Identifier: Apache-2.0
"""`enarx policy`: start one, explain one, read upstream's, show the schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from enarx.appraisal.explain import Explanation, Line, explained
from enarx.appraisal.policy import load
from enarx.appraisal.policy import schema as policy_schema
from enarx.appraisal.starting import SECTIONS, started
from enarx.appraisal.upstream import imported
from enarx.cli import files

LIMIT = 16 << 20
"""100,000 reference values of 48 bytes take 10 MB."""


def _sections(incomplete: str) -> list[str]:
    return [name for name in SECTIONS if name.startswith(incomplete)]


def init(
    sections: Annotated[
        list[str], typer.Argument(help=f"Technologies to accept: {', '.join(SECTIONS)}.", autocompletion=_sections)
    ],
    name: Annotated[str, typer.Option(help="The policy's name.")] = "policy",
) -> int:
    """Write a policy to start from, with every key and its meaning. It goes to standard output."""
    text = started(sections, name=name)
    load(text.encode(), "policy")
    sys.stdout.write(text)
    return 0


def check(
    policy: Annotated[Path, typer.Argument(help="The policy file.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Explain a policy in words, and warn of what it leaves open."""
    loaded = load(files.read(policy, limit=LIMIT), str(policy))
    found = explained(loaded.policy)
    if json_:
        print(json.dumps({"sha256": loaded.digest.hex(), **msgspec.to_builtins(found)}, indent=2))
    else:
        _tell(found, loaded.digest)
    return 0


def import_(
    steward: Annotated[Path, typer.Argument(metavar="STEWARD_TOML", help="A steward.toml of Enarx 0.7.")],
    name: Annotated[str, typer.Option(help="The policy's name.")] = "imported",
) -> int:
    """Read an upstream steward.toml; write out what it left open. The policy goes to standard output."""
    text = imported(files.read(steward, limit=LIMIT), str(steward), name=name)
    load(text.encode(), "imported policy")
    sys.stdout.write(text)
    return 0


def schema() -> int:
    """Print the JSON Schema of a policy."""
    print(json.dumps(policy_schema(), indent=2))
    return 0


def _tell(found: Explanation, digest: bytes) -> None:
    print(f"policy {found.name!r}, security version {found.security_version}, sha256 {digest.hex()}")
    _list("the whole", found.whole)
    for title, lines in found.sections.items():
        _list(f"accepts {title} when", lines)
    for warning in found.warnings:
        print(f"warning: {warning}")


def _list(title: str, lines: tuple[Line, ...]) -> None:
    print(f"\n{title}")
    for line in lines:
        print(f"  {'asks' if line.asked else 'open'}  {line.place}: {line.words}")
    print(end="" if lines else "  nothing\n")
