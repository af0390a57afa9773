"""The console blocks of a Markdown document: what a reader is told to type, and will see.

    ```console          executed by the tests: `$ command`, then the output it must print
    ```console setup    executed by `.ci/run` alone, because it sets up the machine

In expected output `…` stands for anything within a line, and a line of `…` alone for any lines.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple


class Command(NamedTuple):
    """One command, what it prints, and where it stands."""

    line: int
    text: str
    output: str


class Block(NamedTuple):
    """One console block."""

    setup: bool
    commands: tuple[Command, ...]


def blocks(document: str) -> list[Block]:
    """Every console block, in order."""
    found: list[Block] = []
    for match in re.finditer(r"^```console( setup)?\n(.*?)^```$", document, re.MULTILINE | re.DOTALL):
        first = document[: match.start()].count("\n") + 2
        found.append(Block(match[1] is not None, _commands(match[2], first)))
    return found


def _commands(body: str, first: int) -> tuple[Command, ...]:
    commands: list[Command] = []
    for number, line in enumerate(body.splitlines(), first):
        if line.startswith("$ "):
            commands.append(Command(number, line[2:], ""))
        elif commands and commands[-1].text.endswith("\\"):
            last = commands[-1]
            commands[-1] = last._replace(text=last.text + "\n" + line)
        elif commands:
            last = commands[-1]
            commands[-1] = last._replace(output=last.output + line + "\n")
        else:
            msg = f"line {number}: a console block begins with `$ `"
            raise ValueError(msg)
    return tuple(commands)


def matches(expected: str, printed: str) -> bool:
    """Whether the output is what the document shows."""
    parts = []
    for line in expected.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(re.escape(piece) for piece in line.rstrip().split("…")) + r"[ ]*\n")
    return (
        re.fullmatch("".join(parts), printed if printed.endswith("\n") or not printed else printed + "\n") is not None
    )


def main() -> int:
    """Print the set-up commands of a document, one a line."""
    _, flag, name = sys.argv
    if flag != "--setup":
        return 2
    for block in blocks(Path(name).read_text(encoding="utf-8")):
        if block.setup:
            for command in block.commands:
                print(command.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
