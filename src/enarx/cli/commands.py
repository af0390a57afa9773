# SPDX-License-Identifier: Apache-2.0
"""The Typer application, built for one invocation: only the verb that was typed is imported.

The other verbs are in it with their names and summaries, for help and completion.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import typer

import enarx
from enarx.cli.verbs import GROUPS, RAW, VERBS, Verb
from enarx.errors import Misused, Reason

COMPLETING = "_ENARX_COMPLETE"
"""Set by the shell's completion: then every verb's own parameters matter."""


def load(verb: Verb) -> Callable[..., Any]:
    """The function of a verb."""
    module, _, name = verb.target.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


# Typer carries its own copy of click; this is its public way to the base of all usage errors.
_UsageError: Any = typer.BadParameter.__mro__[1]


def invoke(arguments: list[str]) -> int:
    """Run the command that was typed; returns its exit code (2 for wrong usage)."""
    words = [word for word in arguments if not word.startswith("-")][:3]
    try:
        ended = _application(words)(arguments, prog_name="enarx", standalone_mode=False)
    except typer.Abort:
        return 130
    except _UsageError as error:
        if not arguments or type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(error.format_message().rstrip() + "\n")
            return 2
        command = error.ctx.command_path if error.ctx else "enarx"
        raise Misused(Reason.USAGE, _as_ours(error.format_message()), hint=f"{command} --help") from None
    return ended if isinstance(ended, int) else 0


def _as_ours(message: str) -> str:
    """Typer's sentence as errors are written here: from a small letter on, without a full stop."""
    return (message[:1].lower() + message[1:]).rstrip(".")


def _application(words: list[str]) -> typer.Typer:
    app = typer.Typer(
        name="enarx",
        help=enarx.__doc__,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_version)
    _fill(app, {**RAW, **VERBS}, words[:1])
    groups = {"": app}
    for path, (summary, verbs) in GROUPS.items():
        *parent, name = path.split()
        group = groups[path] = typer.Typer(help=summary, no_args_is_help=True)
        depth = len(parent) + 1
        _fill(group, verbs, words[depth : depth + 1] if words[:depth] == path.split() else [])
        groups[" ".join(parent)].add_typer(group, name=name)
    return app


def _fill(app: typer.Typer, verbs: Mapping[str, Verb], typed: list[str]) -> None:
    for name, verb in verbs.items():
        wanted = name in typed or (COMPLETING in os.environ and name not in RAW)
        app.command(name, help=verb.summary if not wanted else None)(load(verb) if wanted else _named_only)


def _named_only() -> None:
    """Stand in the table for a verb that was not typed."""


def _say(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"enarx {version('enarx')}\n")
        raise typer.Exit


def _version(
    version: bool = typer.Option(False, "--version", callback=_say, is_eager=True, help="Show the version and exit."),
) -> None:
    """Keeps: programs that run where nobody can look inside, and prove it."""
