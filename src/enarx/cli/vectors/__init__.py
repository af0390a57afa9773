# SPDX-License-Identifier: Apache-2.0
"""`enarx vectors DIR`: judge every case of every evidence vector below a folder.

One line a case, `ok` or `MISMATCH`; the last line counts. No vectors at all is a failure, and
so is anything in a descriptor that this verb does not understand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from enarx.cli.vectors.verdicts import Line, judged
from enarx.errors import Misused, Reason


def vectors(
    directory: Annotated[Path, typer.Argument(help="The folder; vectors are found at any depth below it.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Judge every case of every evidence vector below a folder."""
    if not directory.is_dir():
        raise Misused(Reason.FILE_UNREADABLE, f"{directory}: not a folder")
    vectors_seen = cases = mismatched = 0
    for lines in _walk(directory):
        vectors_seen += 1
        for line in lines:
            cases += 1
            mismatched += not line.ok
            print(msgspec.json.encode(line).decode() if json else line.text(), flush=True)
    _sum_up(vectors_seen, cases, mismatched, as_json=json)
    return 1 if mismatched or not vectors_seen else 0


def _walk(directory: Path) -> Iterator[Iterator[Line]]:
    for path in sorted(directory.rglob("vector.json")):
        yield judged(path)


def _sum_up(found: int, cases: int, mismatched: int, *, as_json: bool) -> None:
    """The last line: `V vectors, C cases, M mismatched`."""
    if as_json:
        print(msgspec.json.encode({"vectors": found, "cases": cases, "mismatched": mismatched}).decode())
    else:
        print(f"{found} vectors, {cases} cases, {mismatched} mismatched")
    if not found:
        print("enarx: no vector.json below that folder", file=sys.stderr)
